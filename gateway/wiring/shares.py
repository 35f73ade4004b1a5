"""What went out of each tenant's recent requests, as Prometheus reads it: labels from the configuration alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator

from gateway.settings import Settings
from gateway.telemetry import Metrics
from gateway.telemetry.labels import Label
from gateway.traffic import Share

ALL = "all"
"""All families together: what a cap in a policy compares."""
MEANING = "Of a tenant's recent requests, the share that went to zone remote, by task family and for all of them"


def watch_shares(metrics: Metrics, settings: Settings, read: Callable[[], Iterable[Share]]) -> None:
    tenants = Label(["default", *sorted({key.tenant for key in settings.auth.keys})])
    metrics.watch_each("remote_share", MEANING, ("tenant", "family"), lambda: shares(read(), tenants))


def shares(counted: Iterable[Share], tenant: Callable[[str], str]) -> Iterator[tuple[tuple[str, str], float]]:
    asked: defaultdict[tuple[str, str], int] = defaultdict(int)
    out: defaultdict[tuple[str, str], int] = defaultdict(int)
    for each in counted:
        for family in (each.family, ALL):
            asked[tenant(each.tenant), family] += each.asked
            out[tenant(each.tenant), family] += each.out
    for labels, number in sorted(asked.items()):
        yield labels, out[labels] / number

"""The section `shadow`: what it means, what is a mistake in it, and what in it measures nothing."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.core.measuring import Measuring
from gateway.core.types import Zone
from gateway.policy import schema
from gateway.policy.facts import Catalogue


def measuring(told: schema.Shadow | None) -> Measuring | None:
    return None if told is None else Measuring(told.share, told.to, told.usd_per_day)


def mistakes(file: schema.PolicyFile, catalogue: Catalogue) -> Iterator[str]:
    spec = catalogue.by_name.get(file.shadow.to) if file.shadow is not None else None
    if spec is not None and spec.zone is Zone.LOCAL:
        yield f"shadow.to: backend {spec.name!r} is the local model itself; name one of zone private or remote"


def warnings(file: schema.PolicyFile, catalogue: Catalogue) -> Iterator[str]:
    if file.shadow is None:
        return
    spec = catalogue.by_name.get(file.shadow.to)
    if spec is None:
        yield f"shadow.to: there is no backend {file.shadow.to!r}"
        return
    if not (file.public.keys or file.public.generic):
        yield "shadow: only what is public is measured, and under this policy nothing ever is (see public)"
    if not any(_gives(permit, file.shadow.to, spec.zone) for permit in file.permit):
        yield f"shadow.to: no permit lets anything out to {spec.name!r}, so nothing is measured"


def _gives(permit: schema.Permit, backend: str, zone: Zone) -> bool:
    reach = Zone[permit.zone.upper()]
    return zone < reach or (zone is reach and (not permit.to or backend in permit.to))

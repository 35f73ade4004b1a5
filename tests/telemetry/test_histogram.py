"""Our histograms tell Prometheus what the library's own would."""

from __future__ import annotations

import re
from collections.abc import Sequence

import prometheus_client
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.telemetry.histogram import Histogram

BOUNDS = (0.05, 0.5, 1.0, 2.5)
NUMBERS = st.lists(st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.51, 1.0, 2.5, 2.6, 1000.0]))


def page(registry: prometheus_client.CollectorRegistry) -> str:
    """Without the moment at which each line began."""
    told = prometheus_client.generate_latest(registry).decode()
    return re.sub(r"(?m)^(\w+_created\S*) .*$", r"\1", told)


@given(st.lists(st.tuples(st.sampled_from(["local", "remote"]), NUMBERS)))
def test_with_a_label_the_page_is_the_same(told: list[tuple[str, list[float]]]) -> None:
    ours, theirs = prometheus_client.CollectorRegistry(), prometheus_client.CollectorRegistry()
    mine = Histogram("gateway_x_seconds", "Time", BOUNDS, "zone")
    ours.register(mine)
    other = prometheus_client.Histogram("gateway_x_seconds", "Time", ["zone"], buckets=BOUNDS, registry=theirs)
    for zone, values in told:
        mine.of(zone)
        other.labels(zone)
        for value in values:
            mine.of(zone).observe(value)
            other.labels(zone).observe(value)
    assert page(ours) == page(theirs)


@pytest.mark.parametrize("values", [(), (0.05, 0.5001, 7)], ids=["nothing yet", "three"])
def test_without_a_label_it_is_there_from_the_start(values: Sequence[float]) -> None:
    ours, theirs = prometheus_client.CollectorRegistry(), prometheus_client.CollectorRegistry()
    mine = Histogram("gateway_x_seconds", "Time", BOUNDS)
    ours.register(mine)
    other = prometheus_client.Histogram("gateway_x_seconds", "Time", buckets=BOUNDS, registry=theirs)
    for value in values:
        mine.of().observe(value)
        other.observe(value)
    assert page(ours) == page(theirs)

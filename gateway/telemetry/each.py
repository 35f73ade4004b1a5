"""A gauge of which some part keeps the numbers: it is asked for all of them when Prometheus asks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TypeAlias

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

Readings: TypeAlias = Iterable[tuple[Sequence[str], float]]
"""Values of the labels, and the number."""


class Each(Collector):
    def __init__(self, name: str, meaning: str, labels: Sequence[str], read: Callable[[], Readings]) -> None:
        self._name, self._meaning, self._labels = name, meaning, labels
        self._read = read

    def collect(self) -> Iterable[Metric]:
        family = GaugeMetricFamily(self._name, self._meaning, labels=self._labels)
        with suppress(Exception):  # one part that cannot tell must not hide all the others
            for labels, value in self._read():
                family.add_metric(labels, value)
        return [family]

"""How often a number lay below each of some bounds, for Prometheus. Belongs to the event loop's thread.

The library's own histogram locks each bucket, looks whether it may be observed and walks along the bounds. Six numbers
of every request are counted like this, and took a thirtieth of all that is not detecting and scoring.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate

from prometheus_client import Metric
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString


class Bins:
    """The counts of one line of labels."""

    def __init__(self, bounds: Sequence[float]) -> None:
        self.began = time.time()
        self.total = 0.0
        self.counts = [0] * (len(bounds) + 1)
        self._bounds = bounds

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self._bounds, value)] += 1
        self.total += value


class Histogram(Collector):
    """A histogram with at most one label."""

    def __init__(self, name: str, meaning: str, bounds: Sequence[float], label: str | None = None) -> None:
        """`bounds` ascend; what lies beyond the last one counts as well."""
        self._name, self._meaning, self._label = name, meaning, label
        self._bounds = bounds
        self._told = [*map(floatToGoString, bounds), "+Inf"]
        self._bins: dict[str, Bins] = {} if label else {"": Bins(bounds)}

    def of(self, value: str = "") -> Bins:
        """What is counted where the label says `value`."""
        bins = self._bins.get(value)
        if bins is None:
            bins = self._bins[value] = Bins(self._bounds)
        return bins

    def collect(self) -> Iterable[Metric]:
        metric = Metric(self._name, self._meaning, "histogram")
        for value, bins in self._bins.items():
            labels = {self._label: value} if self._label else {}
            below = list(accumulate(bins.counts))
            for bound, count in zip(self._told, below, strict=True):
                metric.add_sample(f"{self._name}_bucket", {**labels, "le": bound}, count)
            metric.add_sample(f"{self._name}_count", labels, below[-1])
            metric.add_sample(f"{self._name}_sum", labels, bins.total)
            metric.add_sample(f"{self._name}_created", labels, bins.began)
        return [metric]

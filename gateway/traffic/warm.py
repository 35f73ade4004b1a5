"""What is known of a task family before a tenant has asked anything of it: the gains that calibration met."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence

from gateway.core.scoring import FAMILIES
from gateway.traffic.window import Place

FEWEST = 2
"""Gains below which they say nothing about a spread."""
EVERY = "*"
"""Gains of all families together, for those of which too little is known."""


class Warm:
    """Gains at evenly spaced quantiles, the lowest first."""

    def __init__(self, gains: Iterable[float]) -> None:
        self._gains = sorted(gains)

    def place(self, gain: float, turn: float) -> Place:
        """As in a window, for a family of one request: rank, and the mean loss of those below it."""
        gains, last = self._gains, len(self._gains) - 1
        low, high = bisect_left(gains, gain), bisect_right(gains, gain)
        if low < high:
            rank = (low + turn * (high - 1 - low)) / last
        elif low in (0, len(gains)):
            rank = low / len(gains)
        else:
            rank = (low - 1 + (gain - gains[low - 1]) / (gains[low] - gains[low - 1])) / last
        # remote − local is 2 × gain − 1: calibration keeps the gains alone.
        return Place(rank, sum(2 * each - 1 for each in gains[:low]) / len(gains))


def warmed(quantiles: Mapping[str, Sequence[float]]) -> dict[str, Warm]:
    """By family. What is no gain is left out."""
    known = {name: [gain for gain in gains if 0.0 <= gain <= 1.0] for name, gains in quantiles.items()}
    warm = {name: Warm(gains) for name, gains in known.items() if len(gains) >= FEWEST}
    return {family: found for family in FAMILIES if (found := warm.get(family) or warm.get(EVERY)) is not None}

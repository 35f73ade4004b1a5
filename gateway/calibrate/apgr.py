"""How much of the gap between two models a ranking recovers, over all shares that may go out, and how surely."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = NDArray[np.int64]

DRAWS = 1000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Interval:
    value: float
    low: float
    high: float

    @property
    def says_nothing(self) -> bool:
        """It does not lie above chance: with these scores one might as well toss a coin, or should turn them round."""
        return not self.low > 0.5


def apgr(gains: Array, local: Array, remote: Array) -> float:
    """Average performance gap recovered: 0.5 for chance; above 1 is possible where the remote one errs as well.

    Requests go out in the order of their gain; the recovered share of the gap is averaged over every number that may
    have gone out. Among equal gains each order is as likely, so they share the mean of what they bring. NaN where the
    remote model is not better: there is no gap to recover.
    """
    gap = remote - local
    whole = gap.sum()
    if not whole > 0:
        return float("nan")
    order = np.argsort(-gains, kind="stable")
    brought = _shared(gap[order], gains[order])
    curve = np.concatenate([[0.0], np.cumsum(brought)]) / whole
    return float(np.mean((curve[:-1] + curve[1:]) / 2))


def interval(gains: Array, local: Array, remote: Array, items: Index, *, draws: int = DRAWS, seed: int = 0) -> Interval:
    """With a bootstrap over items, not rows: one question in five languages is one piece of evidence, not five."""
    random = np.random.default_rng(seed)
    rows = [np.flatnonzero(items == item) for item in np.unique(items)]
    values = []
    for _ in range(draws):
        drawn = np.concatenate([rows[at] for at in random.integers(len(rows), size=len(rows))])
        value = apgr(gains[drawn], local[drawn], remote[drawn])
        # A draw in which there is no gap speaks against the ranking as plainly as one that it loses.
        values.append(0.0 if np.isnan(value) else value)
    edge = (1 - LEVEL) / 2
    low, high = np.quantile(values, [edge, 1 - edge])
    return Interval(apgr(gains, local, remote), float(low), float(high))


def _shared(gap: Array, gains: Array) -> Array:
    """The gap of each row; among rows of equal gain, their mean."""
    starts = np.flatnonzero(np.concatenate([[True], gains[1:] != gains[:-1]]))
    counts = np.diff(np.concatenate([starts, [len(gains)]]))
    return np.asarray(np.repeat(np.add.reduceat(gap, starts) / counts, counts))

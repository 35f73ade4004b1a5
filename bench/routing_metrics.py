"""RouteLLM's figures for a router: APGR and CPT by their ten thresholds, the exact curve, and bootstrap intervals.

A router orders questions by how much the strong model would gain; the share of calls to the strong model then runs from
0 to 1. What it recovers of the gap between the two models is a curve over that share. APGR is the area under it (random
0.5), CPT(x) the share of strong calls in percent at which x of the gap is recovered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Places = NDArray[np.intp]

BINS = 10
TARGETS = (0.5, 0.8, 0.95)
DRAWS = 1_000
INTERVAL = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Figures:
    apgr: float
    """By RouteLLM's formula: thresholds at ten quantiles, trapezoids between them."""
    exact: float
    """The same area with a threshold between any two questions."""
    cpt: tuple[float, ...]
    """Percent of strong calls, interpolated between the ten thresholds, for each of TARGETS."""


def descending(scores: Sequence[float] | Array, seed: int) -> Places:
    """Places of the questions, the one with the most to gain first; ties in an order drawn with `seed`.

    A score that is no number is the least: what cannot be scored stays with the weak model.
    """
    values = np.nan_to_num(np.asarray(scores, dtype=np.float64), nan=-np.inf, posinf=np.inf, neginf=-np.inf)
    drawn = np.random.default_rng(seed).random(len(values))
    return np.lexsort((drawn, -values))


def strong_calls(count: int, bins: int = BINS) -> Places:
    """How many questions lie at or above each quantile, from none to all; above the last one, none."""
    below = [-(-at * (count - 1) // bins) for at in range(bins)]
    return np.array([0, *(count - at for at in reversed(below))], dtype=np.intp)


def recovered(delta: Array) -> Array:
    """Share of the gap recovered after 0, 1, … n strong calls; `delta` is strong minus weak in the router's order."""
    total = np.concatenate([[0.0], np.cumsum(delta)])
    return np.asarray(total / total[-1])


def figures(delta: Array, bins: int = BINS) -> Figures:
    """What a router's order is worth. The strong model must be the better one over these questions."""
    if len(delta) < bins or float(delta.sum()) <= 0:
        raise ValueError(f"no gap to recover: {len(delta)} questions, the strong model gains {float(delta.sum()):g}")
    curve = recovered(delta)
    calls = strong_calls(len(delta), bins)
    share = calls / len(delta)
    # Their call of interp on a curve that may fall: as they do it, the exact curve stands beside it.
    cpt = tuple(float(at) for at in np.interp(TARGETS, curve[calls], share * 100))
    return Figures(float(np.trapezoid(curve[calls], share)), _area(curve), cpt)


def _area(curve: Array) -> float:
    return float(np.trapezoid(curve, dx=1 / (len(curve) - 1)))


def mean(found: Sequence[Figures]) -> Figures:
    """Over seeds."""
    cpt = tuple(float(np.mean([one.cpt[at] for one in found])) for at in range(len(TARGETS)))
    return Figures(float(np.mean([one.apgr for one in found])), float(np.mean([one.exact for one in found])), cpt)


class Bootstrap:
    """Draws questions with replacement, the same ones for every router and every split: differences are paired."""

    def __init__(self, questions: int, seed: int, draws: int = DRAWS) -> None:
        rng = np.random.default_rng(seed)
        self._counts = [np.bincount(rng.integers(0, questions, questions), minlength=questions) for _ in range(draws)]

    def apgr(self, orders: Sequence[tuple[Places, Array]]) -> Array:
        """APGR of every draw, mean over the splits; each split is its questions in the router's order and their delta.

        NaN where a draw leaves no gap: it is left out of the intervals, which matters for tiny sets only.
        """
        return np.array([np.mean([_drawn(counts[order], delta) for order, delta in orders]) for counts in self._counts])


def _drawn(counts: Places, delta: Array) -> float:
    chosen = np.repeat(delta, counts)
    if len(chosen) < BINS or float(chosen.sum()) <= 0:
        return float("nan")
    curve = recovered(chosen)
    calls = strong_calls(len(chosen))
    return float(np.trapezoid(curve[calls], calls / len(chosen)))


def interval(drawn: Array) -> tuple[float, float]:
    low, high = np.nanpercentile(drawn, INTERVAL)
    return float(low), float(high)

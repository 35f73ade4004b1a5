"""A rising line through noisy outcomes: pool adjacent violators, then straight between the pools."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LEAST = 12
"""Rows of a pool. Smaller ones say "never" or "always" on the strength of a handful."""


def pooled(values: Array, outcomes: Array) -> tuple[Array, Array]:
    """(places, means), both rising; a mean is drawn half a row's worth towards each of wrong and right.

    1. neighbours that fall are pooled until nothing falls
    2. pools of fewer than LEAST rows join the neighbour whose mean is nearer
    """
    order = np.argsort(values, kind="stable")
    pools: list[list[float]] = []  # [sum of values, sum of outcomes, rows]
    for value, outcome in zip(values[order], outcomes[order], strict=True):
        pools.append([float(value), float(outcome), 1.0])
        while len(pools) > 1 and pools[-2][1] * pools[-1][2] >= pools[-1][1] * pools[-2][2]:
            _join(pools, len(pools) - 2)
    while len(pools) > 1 and min(pool[2] for pool in pools) < LEAST:
        _join(pools, _nearest(pools))
    places = np.array([pool[0] / pool[2] for pool in pools])
    means = np.array([(pool[1] + 0.5) / (pool[2] + 1.0) for pool in pools])
    return places, np.maximum.accumulate(means)


def on_line(values: Array, places: Array, means: Array) -> Array:
    return np.asarray(np.interp(values, places, means))


def _nearest(pools: list[list[float]]) -> int:
    """The left one of the two to join: the smallest pool and the neighbour more like it."""
    at = min(range(len(pools)), key=lambda place: pools[place][2])
    if at in (0, len(pools) - 1):
        return max(0, at - 1)
    left, here, right = (pools[place][1] / pools[place][2] for place in (at - 1, at, at + 1))
    return at - 1 if here - left <= right - here else at


def _join(pools: list[list[float]], at: int) -> None:
    pools[at] = [mine + theirs for mine, theirs in zip(pools[at], pools.pop(at + 1), strict=True)]

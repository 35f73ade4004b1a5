"""One draw from a row of logits: llama.cpp's top_k, top_p, min_p and temperature, over the few tokens that can win.

In numpy: llama.cpp's own chain wants a structure for each token of the vocabulary, and sorts them all where top_k is
off. A test holds the two beside each other.
"""

from __future__ import annotations

import math
import random
import sys

import numpy as np
from numpy.typing import NDArray

from gateway.engine.ask import Ask

Row = NDArray[np.float32]
Ids = NDArray[np.intp]

_DISTANCES = (8.0, 12.0, 18.0)
"""How far below the maximum to look for the likeliest tokens, one after the other: 40 of them are found in one or two
looks, each of which takes a tenth of what sorting out a whole vocabulary takes."""

_FEW = 256
"""So many are sorted as fast as they are sorted out."""

_FAR = 8.0
"""What stands so far (times the temperature) below the best weighs nothing beside it."""


class Choice:
    """Draws for one choice of one answer, the same ones again for the same seed and rows."""

    def __init__(self, ask: Ask, seed: int) -> None:
        self._temperature = ask.temperature
        self._top_k = ask.top_k
        self._top_p = ask.top_p
        self._min_gap = -math.log(ask.min_p) if ask.min_p > 0 else math.inf
        self._random = random.Random(seed).random  # noqa: S311 - a seed is asked for, not a secret

    @property
    def reach(self) -> float:
        """How far below the best candidate another one can still be drawn."""
        return min(self._min_gap, _FAR * max(1.0, self._temperature)) if self._temperature > 0 else 0.0

    @property
    def enough(self) -> int:
        """So many of the best candidates hold every one that can be drawn."""
        if self._temperature <= 0:
            return 1
        return self._top_k or sys.maxsize

    def of(self, row: Row) -> int:
        """An index into the row. One entry at least must be finite; those of minus infinity are never drawn."""
        if self._temperature <= 0:
            return int(row.argmax())
        if 0 < self._top_k < len(row):
            ids = largest(row, self._top_k)
        elif self._top_p < 1:
            ids = _covering(row, self._top_p)
        elif self._min_gap < math.inf:
            ids = sorted_down(row, np.flatnonzero(row >= row.max() - np.float32(self._min_gap)))
        else:
            return self._draw(row - row.max())
        return int(ids[self._draw(self._filtered(row, ids))])

    def _filtered(self, row: Row, ids: Ids) -> Row:
        """How far below the first the ones are that top_p and min_p leave."""
        below: Row = row[ids]
        below = below - below[0]
        if self._top_p < 1 and self._top_k > 0:
            below = below[: _head(np.exp(below), self._top_p)]
        if self._min_gap < math.inf:
            below = below[: int((-below).searchsorted(self._min_gap, side="right"))]
        return below

    def _draw(self, below: Row) -> int:
        sums = np.cumsum(np.exp(below / np.float32(self._temperature)), dtype=np.float64)
        return min(int(sums.searchsorted(self._random() * sums[-1], side="right")), len(below) - 1)


def largest(row: Row, count: int) -> Ids:
    """The `count` largest entries, largest first; fewer where the row holds fewer above minus infinity."""
    most = row.max()
    for distance in _DISTANCES:
        near = np.flatnonzero(row >= most - np.float32(distance))
        if len(near) >= count:
            break
    else:
        near = np.flatnonzero(row > -math.inf)
    if len(near) > max(count, _FEW):
        # The last one that belongs in may have equals: the lowest ids of these do, whichever set they were found in.
        values = row[near]
        near = near[values >= np.partition(values, -count)[-count]]
    return sorted_down(row, near)[:count]


def sorted_down(row: Row, ids: Ids) -> Ids:
    """Largest first; of equal ones the lower id, so that nothing depends on how they were found."""
    return ids[np.argsort(-row[ids], kind="stable")]


def _covering(row: Row, top_p: float) -> Ids:
    """The likeliest entries that together have this share of the whole row's weight, likeliest first."""
    most = row.max()
    weights = np.exp(row - most)
    share = top_p * float(weights.sum())
    for distance in _DISTANCES:
        near = np.flatnonzero(row >= most - np.float32(distance))
        if float(weights[near].sum()) >= share:
            break
    else:
        near = np.flatnonzero(row > -math.inf)
    ids = sorted_down(row, near)
    return ids[: _head(weights[ids], share=share)]


def _head(weights: Row, top_p: float = 0.0, share: float = 0.0) -> int:
    """How many at the head of sorted weights are needed for a share of them; that which reaches it belongs in."""
    sums = np.cumsum(weights, dtype=np.float64)
    return int(sums.searchsorted(share or top_p * sums[-1])) + 1

"""Whether a few answers go through the model together or one after the other, by how long each has taken here.

Batching wins with many rows. With two to seven, llama.cpp's matrix product for few columns is slow on some
processors: two rows together can take twice as long as one after the other. Nothing but a look at the clock tells.
"""

from __future__ import annotations

from enum import IntEnum

MOST_APART = 7
"""From eight rows on, together has won everywhere it was measured."""
TRIALS = 3
"""Steps of each kind before the faster is chosen."""
AGAIN = 256
"""Steps after which both are tried anew: the contexts are longer by then, or the machine has other work."""


class Way(IntEnum):
    TOGETHER = 0
    APART = 1


class Passes:
    def __init__(self) -> None:
        self._seconds: dict[int, tuple[list[float], list[float]]] = {}
        """By number of rows: what the last trials together, and apart, took."""
        self._steps: dict[int, int] = {}

    def way(self, rows: int) -> Way:
        """How to compute the next step of so many rows."""
        if not 1 < rows <= MOST_APART:
            return Way.TOGETHER
        together, apart = self._seconds.setdefault(rows, ([], []))
        if len(together) < TRIALS:
            return Way.TOGETHER
        if len(apart) < TRIALS:
            return Way.APART
        return Way.APART if min(apart) < min(together) else Way.TOGETHER

    def took(self, rows: int, way: Way, seconds: float) -> None:
        """A step of so many rows was computed in this way."""
        if not 1 < rows <= MOST_APART:
            return
        trials = self._seconds.setdefault(rows, ([], []))
        steps = self._steps.get(rows, 0) + 1
        if steps > AGAIN:
            steps = 0
            for kind in trials:
                kind.clear()
        self._steps[rows] = steps
        if len(trials[way]) < TRIALS:
            trials[way].append(seconds)

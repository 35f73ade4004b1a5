"""The last scores of one tenant in one task family, and where a further one stands among them."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import NamedTuple

MOST = 512
"""Scores remembered: enough to tell one request in a hundred, few enough to follow a tenant whose work changes."""

_TURN = 0.6180339887498949
"""The golden ratio's fraction: its multiples, taken modulo 1, fill the interval evenly from the first few on."""


class Chances(NamedTuple):
    """A score's numbers, all of them known."""

    gain: float
    loss: float
    """P(remote right) − P(local right): what answering it here costs."""
    remote: float


class Place(NamedTuple):
    """Where a score stands among others."""

    rank: float
    """The share of them that is lower. Equal ones take turns, so that any share of them can be told from the rest."""
    loss: float
    """What answering all of lower rank here costs, as a sum."""


class Window:
    """Scores in the order in which they came, to forget the oldest, and sorted by gain, to count the lower ones.

    Finding a place takes O(log n). Its loss is summed over half a window of machine numbers: at this size that is as
    quick as a tree of partial sums would be, and no rounding error grows with the years.
    """

    __slots__ = ("_came", "_gains", "_losses", "_oldest", "_remotes", "_seen", "remote")

    def __init__(self) -> None:
        self._came = array("d")
        """Gain and loss of each, oldest first from `_oldest` on, round and round."""
        self._remotes = array("d")
        self._oldest = 0
        self._gains = array("d")
        self._losses = array("d")
        """Sorted by gain, both."""
        self._seen = 0
        self.remote = 0.0
        """P(remote right) of all, as a sum."""

    def __len__(self) -> int:
        return len(self._gains)

    @property
    def turn(self) -> float:
        """Whose turn it is among equals: 0 … 1, another one for each request."""
        return (self._seen * _TURN) % 1.0

    def newest(self, most: int) -> Iterator[Chances]:
        """The oldest of them first."""
        for number in range(max(0, len(self) - most), len(self)):
            at = (self._oldest + number) % MOST
            yield Chances(self._came[2 * at], self._came[2 * at + 1], self._remotes[at])

    def place(self, gain: float) -> Place:
        """None may be asked of an empty window."""
        low, high = bisect_left(self._gains, gain), bisect_right(self._gains, gain)
        below = low + self.turn * (high - low)
        return Place(below / len(self), sum(self._losses[: int(below)]))

    def add(self, chances: Chances) -> None:
        """Remember a score; the oldest is forgotten for it once the window is full."""
        self._seen += 1
        if len(self) < MOST:
            self._came.extend((chances.gain, chances.loss))
            self._remotes.append(chances.remote)
        else:
            at = self._oldest
            self._forget(self._came[2 * at], self._came[2 * at + 1])
            self._came[2 * at], self._came[2 * at + 1] = chances.gain, chances.loss
            self.remote -= self._remotes[at]
            self._remotes[at] = chances.remote
            self._oldest = (at + 1) % MOST
            if not self._oldest:
                self.remote = sum(self._remotes) - chances.remote  # rounding errors end with each round
        self.remote += chances.remote
        index = bisect_right(self._gains, chances.gain)
        self._gains.insert(index, chances.gain)
        self._losses.insert(index, chances.loss)

    def _forget(self, gain: float, loss: float) -> None:
        index = bisect_left(self._gains, gain)
        while self._losses[index] != loss:  # of several with this gain, the one with this loss
            index += 1
        del self._gains[index], self._losses[index]

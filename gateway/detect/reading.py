"""One way to read a string, and where each part of it stands in the string it was read from."""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Sequence

from gateway.detect.candidate import APART
from gateway.detect.clock import Clock

_OFTEN = 512
"""Pieces written between two looks at the clock."""
_NEAR = 200
"""Characters on either side of what was rewritten in which a word may explain it, and then some."""
_BREAK = re.compile(r"[a-z]{3}[,.]? (?=[a-z]{3})")
"""Between two words of prose nothing is cut in two."""
_PARTS = 4096
"""Strings that wait to be joined: each costs fifty bytes, whatever its length."""


class Reading:
    """A text read. Without pieces, every character stands at the same offset in its source.

    A piece of equal lengths maps character by character, any other as a whole. Three arrays hold them, twelve bytes a
    piece: a hostile text has a piece for every character.
    """

    __slots__ = ("_begins", "_ends", "_starts", "text", "view")

    def __init__(
        self, view: str, text: str, pieces: tuple[Sequence[int], Sequence[int], Sequence[int]] = ((), (), ())
    ) -> None:
        self.view = view
        self.text = text
        self._starts, self._begins, self._ends = pieces
        """Where each piece starts here, and where it begins and ends there."""

    def locate(self, start: int, end: int) -> tuple[int, int]:
        """The span there of a span here."""
        if not self._starts:
            return start, end
        first, last = self._piece(start), self._piece(max(start, end - 1))
        left = self._begins[first] + (start - self._starts[first] if self._even(first) else 0)
        right = self._begins[last] + (end - self._starts[last]) if self._even(last) else self._ends[last]
        return left, right

    def _piece(self, offset: int) -> int:
        return max(0, bisect_right(self._starts, offset) - 1)

    def _even(self, piece: int) -> bool:
        stop = self._starts[piece + 1] if piece + 1 < len(self._starts) else len(self.text)
        return stop - self._starts[piece] == self._ends[piece] - self._begins[piece]

    def __repr__(self) -> str:
        return f"Reading(view={self.view!r}, length={len(self.text)})"


class Builder:
    """Writes a reading piece by piece, within the deadline."""

    def __init__(self, view: str, clock: Clock) -> None:
        self.view = view
        self._clock = clock
        self._written: list[str] = []
        self._parts: list[str] = []
        self._starts, self._begins, self._ends = array("I"), array("I"), array("I")
        self._length = 0

    def add(self, text: str, start: int, end: int) -> None:
        """`text` stands for the characters `start` to `end` of the source."""
        if not text:
            return  # what was removed has no length here: as a piece it would hide its neighbour from the search
        self._parts.append(text)
        self._starts.append(self._length)
        self._begins.append(start)
        self._ends.append(end)
        self._length += len(text)
        if not len(self._starts) % _OFTEN:
            self._clock.check()
            if len(self._parts) >= _PARTS:
                self._written.append("".join(self._parts))
                self._parts.clear()

    def between(self, text: str, start: int, end: int) -> None:
        """The source from the end of one rewritten run to the start of the next: of a long stretch, what is near them.

        The rest is read where nothing was rewritten; reading it once more for every view would cost all of it again.
        """
        left, right = start, end
        if end - start > 4 * _NEAR:
            kept = _BREAK.search(text, start + _NEAR, start + 2 * _NEAR) if start else None
            again = _BREAK.search(text, end - 2 * _NEAR, end - _NEAR) if end < len(text) else None
            if (kept or not start) and (again or end == len(text)):
                left, right = kept.end() if kept else start, again.end() if again else end
                self.add(text[start:left], start, left)
                self.add(APART, left, right)
                start = right
        self.add(text[start:end], start, end)

    def reading(self) -> Reading:
        text = "".join((*self._written, *self._parts))
        return Reading(self.view, text, (self._starts, self._begins, self._ends))

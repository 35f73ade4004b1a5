"""Makes look-alikes alike: one reading of a text in which a digit is a digit and nothing invisible stands between two.

ASCII text is returned as it is, so that ordinary prompts pay one `isascii()`.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field

_LOOKALIKES = str.maketrans(
    # Cyrillic, Greek, Armenian and Cherokee letters that pass for Latin ones, and what stands in for ASCII marks
    "АВЕЅІЈКМНОРСТУХҮԌԚԜаеіјкорсухѕһԁԛԝґΑΒΕΖΗΙΚΜΝΟΡΤΥΧαιοκνρτυχϲϳՏՍօսհոՕᎪᎬᎻᏆᏞᎷᏢᎡᏚᎢᏙᏔ"
    "‐‑‒–—―−﹣˗‘’‚‛“”„‟′″‹›∶꞉∕⁄·•∙⋅․｡。۔٫",
    "ABESIJKMHOPCTYXYGQWaeijkopcyxshdqwrABEZHIKMNOPTYXaiokvptuxcjSUouhnOAEHILMPRSTVW"
    "--------" + "-" + "''''" + '""""' + "'" + '"' + "<>" + "::" + "//" + "........" + ".",
)
_SPECIAL = {
    "ı": "i",
    "Ι": "I",
    "ⅼ": "l",
    "\u3164": "",
    "\u115f": "",
    "\u1160": "",
    "\u2800": " ",
    "\u034f": "",
    "\u180e": "",
}


@dataclass(slots=True)
class Reading:
    """One way to read a string: the text read, and where each part of it stands in the text it was read from."""

    view: str
    text: str
    pieces: tuple[tuple[int, int, int, int], ...] = ()
    """(start here, end here, start there, end there), in order, without gaps; empty = the same offsets.
    A piece of equal lengths maps character by character, any other as a whole."""
    _starts: list[int] = field(default_factory=list, repr=False)

    def locate(self, start: int, end: int) -> tuple[int, int]:
        """The span there of a span here."""
        if not self.pieces:
            return start, end
        if not self._starts:
            self._starts.extend(piece[0] for piece in self.pieces)
        first = self.pieces[max(0, bisect_right(self._starts, start) - 1)]
        last = self.pieces[max(0, bisect_right(self._starts, max(start, end - 1)) - 1)]
        return _left(first, start), _right(last, end)

    def __repr__(self) -> str:
        return f"Reading(view={self.view!r}, length={len(self.text)})"


def _left(piece: tuple[int, int, int, int], start: int) -> int:
    begin, stop, there, there_stop = piece
    return there + (start - begin) if stop - begin == there_stop - there else there


def _right(piece: tuple[int, int, int, int], end: int) -> int:
    begin, stop, there, there_stop = piece
    return there + (end - begin) if stop - begin == there_stop - there else there_stop


class Builder:
    """Writes a reading piece by piece."""

    def __init__(self, view: str) -> None:
        self.view = view
        self._parts: list[str] = []
        self._pieces: list[tuple[int, int, int, int]] = []
        self._length = 0

    def add(self, text: str, start: int, end: int) -> None:
        """`text` stands for the characters `start` to `end` of the source."""
        if start == end and not text:
            return
        self._parts.append(text)
        self._pieces.append((self._length, self._length + len(text), start, end))
        self._length += len(text)

    def reading(self) -> Reading:
        # Removed characters are pieces without length here; they would hide their neighbour from the search.
        return Reading(self.view, "".join(self._parts), tuple(piece for piece in self._pieces if piece[0] < piece[1]))


def plain(char: str) -> str:
    """What one character reads as: '' when it is invisible."""
    if char in _SPECIAL:
        return _SPECIAL[char]
    category = unicodedata.category(char)
    if category in {"Cf", "Cs"} or "\ufe00" <= char <= "\ufe0f":
        return "" if category != "Cs" else "\ufffd"
    if category == "Nd":
        return str(unicodedata.digit(char))
    if category in {"Zs", "Zl", "Zp"}:
        return "\n" if char in "\u2028\u2029" else " "
    return unicodedata.normalize("NFKC", char).translate(_LOOKALIKES)


def normalise(raw: str) -> list[Reading]:
    """How `raw` reads. Two readings where something invisible was taken out: without it, and with a space for it.

    Both are needed: a zero-width space may hide inside a number, or glue a digit to one.
    """
    if raw.isascii():
        return [Reading("raw", raw)]
    table = {char: plain(char) for char in set(raw) if not char.isascii()}
    changed = {char: reads for char, reads in table.items() if char != reads}
    if not changed:
        return [Reading("raw", raw)]
    if all(len(reads) == 1 for reads in changed.values()):
        return [Reading("normal", raw.translate({ord(char): reads for char, reads in changed.items()}))]
    readings = [_rewritten(raw, changed)]
    if "" in changed.values():
        spaced = {char: reads or " " for char, reads in changed.items()}
        readings.append(_rewritten(raw, spaced))
    return readings


def _rewritten(raw: str, table: Mapping[str, str]) -> Reading:
    builder = Builder("normal")
    one_to_one = {ord(char): reads for char, reads in table.items() if len(reads) == 1}
    other = {char for char, reads in table.items() if len(reads) != 1}
    done = 0
    for index, char in enumerate(raw):
        if char in other:
            builder.add(raw[done:index].translate(one_to_one), done, index)
            builder.add(table[char], index, index + 1)
            done = index + 1
    builder.add(raw[done:].translate(one_to_one), done, len(raw))
    return builder.reading()

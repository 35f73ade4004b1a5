"""How a text is read to be recognised: its letters and digits alone, as they are however it was quoted.

A chat client sends an answer back as it got it. A title call puts it into a JSON string, a mail client puts `> ` before
its lines, a summary cuts it, a form encodes it. What all of them keep is the row of letters and digits, so everything
else is left out: case, accents, spaces, marks, markdown, the backslashes and entities of escapes. Both sides are read
alike, so it does no harm that `\\new` in a path loses its n: it does so in every copy.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeAlias
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

Codes: TypeAlias = NDArray[np.uint16]

_ESCAPED = re.compile(r"(?<!\\)\\++(?:u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|[nrtbfv])")
"""However many backslashes: an escape of an escape has two, and the next one four. Tried once at the first of them."""
_ENTITY = re.compile(r"&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z]\w{1,30});")
_PERCENT = re.compile("%[0-9a-fA-F]{2}")
_LAYERS = 3
"""Escapes of escapes that are undone: `&amp;amp;quot;`."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Several strings read as one row, so that a text cut over two parts of a message is still one text."""

    codes: Codes = field(repr=False)
    bounds: NDArray[np.int64] = field(repr=False)
    """Where in `codes` each string begins, and at the end how many there are."""

    def string_at(self, position: int) -> int:
        """Which string the code at `position` stands in."""
        return int(np.searchsorted(self.bounds, position, side="right")) - 1

    def string(self, number: int) -> Codes:
        return self.codes[self.bounds[number] : self.bounds[number + 1]]


class Reader:
    """Holds the table from UTF-16 unit to the letter or digit it reads as."""

    def __init__(self) -> None:
        self._folded = _table()

    def read(self, strings: Sequence[str]) -> Reading:
        raw = [_plain(string).encode("utf-16-le", "surrogatepass") for string in strings]
        folded = self._folded[np.frombuffer(b"".join(raw), dtype="<u2")]
        kept = np.flatnonzero(folded)
        ends = np.cumsum([0, *(len(piece) // 2 for piece in raw)])
        return Reading(folded[kept], np.searchsorted(kept, ends))


def _plain(text: str) -> str:
    """The text without what quoting put into it. Most texts have nothing of the kind, and cost three searches."""
    for _ in range(_LAYERS):
        before = text
        if "\\" in text:
            text = _ESCAPED.sub(_unescaped, text)
        if "&" in text and _ENTITY.search(text):
            text = html.unescape(text)
        if "%" in text and _PERCENT.search(text):
            text = unquote(text, errors="replace")
        if text == before:
            break
    return text


def _unescaped(match: re.Match[str]) -> str:
    code = match[1] or match[2]
    return chr(int(code, 16)) if code else " "


@cache
def _table() -> Codes:
    """One entry for each UTF-16 unit, 0 where it is left out. Letters beyond the first plane are left out.

    Made once, on first use: it takes 30 ms, and is the same for everybody.
    """
    table = np.zeros(0x10000, dtype=np.uint16)
    for code in range(0x10000):
        char = chr(code)
        if char.isalnum():
            table[code] = _folded(char)
    table.flags.writeable = False
    return table


def _folded(char: str) -> int:
    """Lower case, without accents, and a digit for every way to write one. A Hangul syllable stays one."""
    whole = unicodedata.normalize("NFKD", char)
    base, marks = whole[0], whole[1:]
    if all(unicodedata.combining(mark) for mark in marks) and base.isalnum() and ord(base) < 0x10000:
        char = base
    digit = unicodedata.digit(char, None)
    return ord(char.lower()[0] if digit is None else str(digit))

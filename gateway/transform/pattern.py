"""How a placeholder is recognised however a model spelled it: case, escapes, entities, marks, spaces, endings.

Everything hangs on the tag, which stands nowhere else: what is left and right of it decides the rest.

    [PERSON_1_k7f2]   \\[PERSON\\_1\\_k7f2\\]   [**Person 1 k7f2**]   &#91;PERSON_1_k7f2&#93;
    [PERSON_1_k7f2's]   PERSON_1_k7f2
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

LONGEST = 72
"""Characters from an opening bracket to the end of the tag, or to the closing bracket behind it, at most."""

_SEP = r"(?: ?\\{0,2}[_ \-\u2010\u2011\u2013] ?)"
_MARKS = r"[ \t*_`~]{0,3}"
_LEFT = re.compile(rf"(?<![A-Za-z0-9])([A-Za-z]+(?:{_SEP}[A-Za-z]+){{0,4}}){_SEP}(\d{{1,5}}){_SEP}\Z", re.ASCII)
_NUMBERED = re.compile(rf"\d{{1,5}}{_SEP}\Z", re.ASCII)
_KIND = re.compile(r"[A-Za-z]+")
_OPEN = re.compile(rf"((\\{{1,2}})?[\[［【]|&(?:\#91|\#x5b|lbrack|lsqb);)({_MARKS})\Z", re.IGNORECASE)
_ENDING = r"(?:['’]?[A-Za-zäöüß]{1,2})?"
_CLOSE = re.compile(rf"({_ENDING})({_MARKS})((\\{{1,2}})?[\]］】]|&(?:\#93|\#x5d|rbrack|rsqb);)", re.IGNORECASE)
_CLOSING = re.compile(rf"(?:{_ENDING}|['’]){_MARKS}(?:\\{{0,2}}|&[#a-z0-9]{{0,7}})\Z", re.IGNORECASE)
_START = re.compile(
    r"(?:\\{1,2})?[\[［【]|\\{1,2}\Z|&(?:(?:\#91|\#x5b|lbrack|lsqb);|[#a-z0-9]{0,6}\Z)|(?<![A-Za-z0-9])(?=[a-z])",
    re.IGNORECASE | re.ASCII,
)
_DROP = dict.fromkeys(map(ord, "_ -\u2010\u2011\u2013\\*`~\t"))


class Match(NamedTuple):
    """One placeholder in a text."""

    start: int
    end: int
    name: str | None
    """`PERSON_1`; None for one that stands for nothing here."""
    before: str = ""
    after: str = ""
    """What stood inside the brackets around it and stays: marks and an ending."""


@dataclass(slots=True)
class Pattern:
    """Finds the placeholders of one tag."""

    tag: str
    names: Iterable[str]
    _tag: re.Pattern[str] = field(init=False)
    _keys: dict[str, str] = field(init=False)
    _beginnings: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        self._tag = re.compile(re.escape(self.tag), re.IGNORECASE | re.ASCII)
        self._keys = {_key(name): name for name in self.names}
        wholes = [key + self.tag.upper() for key in self._keys]
        self._beginnings = frozenset({"", *(whole[:end] for whole in wholes for end in range(1, len(whole) + 1))})

    def may_hold(self, text: str) -> bool:
        return self._tag.search(text) is not None

    def matches(self, text: str, start: int = 0, *, more: bool = False) -> Iterator[Match]:
        """Every placeholder that ends behind `start`, in order; only those that begin there as well have a name.

        With `more`, text is still to come: one that may yet get its closing bracket has `end` -1 and is the last.
        """
        done = start
        for tag in self._tag.finditer(text, max(0, start - len(self.tag) + 1)):
            if tag.end() <= done:
                continue
            match = self._match(text, done, tag, more)
            if match is not None:
                yield match
                done = match.end
                if done < 0:
                    return

    def _match(self, text: str, done: int, tag: re.Match[str], more: bool) -> Match | None:
        floor = max(0, tag.start() - LONGEST)
        left = _LEFT.search(text, floor, tag.start())
        start, name = self._name(left, done) if left else (-1, None)
        if name is None:
            return Match(tag.start(), tag.end(), None) if _NUMBERED.search(text, floor, tag.start()) else None
        opened = _OPEN.search(text, max(done, start - 12), start)
        if opened is None:
            return Match(start, tag.end(), name)
        closed = _CLOSE.match(text, tag.end())
        if closed is None:
            if more and len(text) - tag.end() < 16 and _CLOSING.match(text, tag.end()):
                return Match(opened.start(), -1, name)
            return Match(start, tag.end(), name)
        first = opened.start()
        if opened[2] and not closed[4]:  # a backslash that was there before
            first = opened.end(2)
        return Match(first, closed.end(), name, opened[3].strip(" \t"), closed[1] + closed[2].strip(" \t"))

    def _name(self, left: re.Match[str], done: int) -> tuple[int, str | None]:
        """The longest known name that ends there: words in front of it may be anything."""
        for word in _KIND.finditer(left[1]):
            start = left.start() + word.start()
            if start >= done and (name := self._keys.get(_key(left[1][word.start() :]) + left[2])):
                return start, name
        return -1, None

    def live(self, text: str, start: int) -> int:
        """Where the stretch at the end of `text` begins that may yet become a placeholder; `len(text)` for none."""
        size = len(text)
        for begin in _START.finditer(text, max(start, size - LONGEST)):
            if text[begin.end() :].upper().translate(_DROP) in self._beginnings and (begin[0] or begin.end() < size):
                return begin.start()
        return size


def _key(name: str) -> str:
    return name.upper().translate(_DROP)

"""A text cut into words and sentences."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field

WORD = re.compile(r"[^\W_]+")
_END = re.compile(r"[.!?\n]+")
_SHORT = re.compile(r"(?<![^\W_])[^\W\d_]{1,3}\Z")
"""A dot behind so short a word is most likely an abbreviation's."""
_MOST = 80
"""Words of one sentence: what is looked for in it takes time by the square."""


@dataclass(slots=True)
class Tokens:
    """Words by number: folded, as written, and in which sentence. Where one stands is worked out when somebody asks."""

    text: str = field(repr=False)
    folded: str = field(repr=False)
    words: list[str] = field(repr=False)
    sentence: list[int] = field(repr=False)
    _firsts: list[int] = field(repr=False)
    """The first word of every stretch between two marks."""
    _stretches: list[int] = field(repr=False)
    """Where each stretch begins."""
    _places: list[int] = field(default_factory=list, repr=False)
    """Where words begin, in stretches that somebody asked about; elsewhere -1."""
    _written: list[str] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.words)

    @property
    def written(self) -> list[str]:
        """The words with their accents and capitals."""
        if self._written is None:
            self._written = WORD.findall(self.text)
        return self._written

    def start(self, index: int) -> int:
        if not self._places:
            self._places = [-1] * len(self.words)
        if self._places[index] < 0:
            self._look(bisect_right(self._firsts, index) - 1)
        return self._places[index]

    def _look(self, stretch: int) -> None:
        begin, first = self._stretches[stretch], self._firsts[stretch]
        end = self._stretches[stretch + 1] if stretch + 1 < len(self._stretches) else len(self.folded)
        places = [match.start() for match in WORD.finditer(self.folded, begin, end)]
        self._places[first : first + len(places)] = places

    def end(self, index: int) -> int:
        return self.start(index) + len(self.words[index])

    def capital(self, index: int) -> bool:
        """Whether the word is written like a name: a capital, then small letters (or an initial)."""
        word = self.written[index]
        return word[0].isupper() and (len(word) == 1 or word[1:].islower())

    def between(self, index: int) -> str:
        """What stands between this word and the next."""
        end = self.end(index)
        return self.folded[end : self.start(index + 1) if index + 1 < len(self.words) else end + 2]

    def number(self, offset: int) -> int:
        """The word that stands at `offset`, or the last one before it."""
        stretch = max(0, bisect_right(self._stretches, offset) - 1)
        first = self._firsts[stretch]
        last = self._firsts[stretch + 1] if stretch + 1 < len(self._firsts) else len(self.words)
        self.start(first)  # the whole stretch is looked at once, however many are asked for
        return max(first, bisect_right(self._places, offset, first, last) - 1)


def cut(text: str, folded: str) -> Tokens:
    """`folded` is `text`, character for character."""
    words: list[str] = []
    sentence: list[int] = []
    firsts: list[int] = []
    stretches: list[int] = []
    begin = number = 0
    for mark in (*_END.finditer(folded), None):
        if mark is not None and not _ends(mark, folded):
            continue
        end = mark.end() if mark is not None else len(folded)
        found = WORD.findall(folded, begin, end)
        if found:
            firsts.append(len(words))
            stretches.append(begin)
            words += found
            for low in range(0, len(found), _MOST):
                sentence += [number] * min(_MOST, len(found) - low)
                number += 1
        begin = end
    return Tokens(text, folded, words, sentence, firsts, stretches)


def _ends(mark: re.Match[str], folded: str) -> bool:
    """Whether a sentence ends here, and not an abbreviation or a number."""
    if mark.group() != ".":
        return True
    if not folded[mark.end() : mark.end() + 1].isspace():
        return False  # inside a number, a host or initials
    return _SHORT.search(folded, max(0, mark.start() - 4), mark.start()) is None

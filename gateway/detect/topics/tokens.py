"""A text cut into words and sentences."""

from __future__ import annotations

import re
from bisect import bisect_left
from dataclasses import dataclass, field

WORD = re.compile(r"[^\W_]+")
_CUT = re.compile(r"[^\W_]+|[.!?\n]+")
_SHORT = 3
"""A dot behind so short a word is most likely an abbreviation's."""
_MOST = 80
"""Words of one sentence: what is looked for in it takes time by the square."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Words by number: folded, where each stands, and in which sentence."""

    text: str = field(repr=False)
    words: list[str] = field(repr=False)
    starts: list[int] = field(repr=False)
    ends: list[int] = field(repr=False)
    sentence: list[int] = field(repr=False)

    def __len__(self) -> int:
        return len(self.words)

    def capital(self, index: int) -> bool:
        """Whether the word is written like a name: a capital, then small letters (or an initial)."""
        start, end = self.starts[index], self.ends[index]
        return self.text[start].isupper() and (end - start == 1 or self.text[start + 1 : end].islower())

    def shouted(self, index: int) -> bool:
        return self.ends[index] - self.starts[index] > 1 and self.text[self.starts[index] : self.ends[index]].isupper()

    def between(self, index: int) -> str:
        """What stands between this word and the next."""
        stop = self.starts[index + 1] if index + 1 < len(self.starts) else self.ends[index] + 2
        return self.text[self.ends[index] : stop]

    def number(self, offset: int) -> int:
        """The first word that ends behind `offset`."""
        return bisect_left(self.ends, offset + 1)


def cut(text: str, folded: str) -> Tokens:
    """`folded` is `text`, character for character."""
    words: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    sentence: list[int] = []
    number = first = 0
    for match in _CUT.finditer(folded):
        word = match.group()
        if word[0] not in ".!?\n":
            words.append(word)
            starts.append(match.start())
            ends.append(match.end())
            sentence.append(number)
            if len(words) - first >= _MOST:
                number, first = number + 1, len(words)
        elif _ends(word, words, folded, match.end()):
            number, first = number + 1, len(words)
    return Tokens(text, words, starts, ends, sentence)


def _ends(mark: str, words: list[str], folded: str, after: int) -> bool:
    if mark[0] != "." or len(mark) > 1:
        return True
    if not folded[after : after + 1].isspace():
        return False  # inside a number, a host or initials
    return not words or len(words[-1]) > _SHORT or words[-1].isdigit()

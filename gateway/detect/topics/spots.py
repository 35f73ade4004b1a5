"""Where the entries of every list stand in a text: a list is looked for when somebody asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from gateway.detect.topics.lexicon import Entry, Lexicon, accents
from gateway.detect.topics.tokens import Tokens
from gateway.detect.topics.tongues import Tongues


class Spot(NamedTuple):
    """An entry of a list: its first and last word."""

    first: int
    last: int


_NOWHERE: Mapping[int, list[Spot]] = {}


class Spots:
    __slots__ = ("_begun", "_found", "_places", "_tokens", "_tongues", "_words")

    def __init__(self, tokens: Tokens, words: set[str], lexicon: Lexicon) -> None:
        """`words` are the different ones of `tokens`."""
        self._tokens = tokens
        self._words = words
        self._tongues = Tongues(tokens, lexicon)
        self._begun: dict[str, list[tuple[str, Sequence[Entry]]]] = {}
        """List → words of the text that may begin an entry of it."""
        self._found: dict[str, Mapping[int, list[Spot]]] = {}
        self._places: dict[str, list[int]] = {}
        for word, lists in lexicon.look_up(words):
            self._places[word] = []
            for listed, entries in lists:
                self._begun.setdefault(listed, []).append((word, entries))
        places = self._places
        for index, word in enumerate(tokens.words):
            if word in places:
                places[word].append(index)

    def may_hold(self, lists: Iterable[str]) -> bool:
        """Whether an entry of one of `lists` may begin somewhere."""
        return any(listed in self._begun for listed in lists)

    def of(self, listed: str) -> Mapping[int, list[Spot]]:
        """Sentence → the entries of a list there."""
        found = self._found.get(listed)
        if found is None:
            begun = self._begun.get(listed)
            found = self._found[listed] = self._look(begun) if begun else _NOWHERE
        return found

    def _look(self, begun: Sequence[tuple[str, Sequence[Entry]]]) -> Mapping[int, list[Spot]]:
        words = self._words
        ends = []
        for word, entries in begun:
            whole = [entry for entry in entries if not entry.rest or words.issuperset(entry.rest)]
            if whole:
                ends += [(index, last) for index in self._places[word] if (last := self._end(index, whole)) >= 0]
        found: dict[int, list[Spot]] = {}
        for spot in sorted(ends):
            found.setdefault(self._tokens.sentence[spot[0]], []).append(Spot(*spot))
        return found

    def _end(self, index: int, entries: Sequence[Entry]) -> int:
        """The last word of the longest entry that begins at a word; -1 for none."""
        tokens = self._tokens
        here = tokens.sentence[index]
        for rest, listed, language, marks in entries:
            last = index
            if rest:
                last += len(rest)
                if tuple(tokens.words[index + 1 : last + 1]) != rest or tokens.sentence[last] != here:
                    continue
            if language in self._tongues.of(here) and _written_so(tokens.written[index], listed, marks):
                return last
        return -1


def _written_so(written: str, listed: str, marks: tuple[int, ...]) -> bool:
    """Whether a word's accents and capitals are those of the entry, as far as the text has any."""
    if not written.isascii() and accents(written) != marks:
        return False
    return listed != "shouted" or written.isupper()

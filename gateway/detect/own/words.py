"""Finds the operator's own words: one pass over a text's words, however many the list holds."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from gateway.detect.clock import Clock
from gateway.detect.normalise import plain

_WORD = re.compile(r"[^\W_]+")
_GAP = 3
"""Characters between two words of one name: a space, a hyphen, a full stop and a space."""
_OFTEN = 1024
_FEW = 64
"""So many first words are looked for in a text before it is cut into words at all."""

Owner = TypeVar("Owner")


@dataclass(slots=True)
class _Beginning(Generic[Owner]):
    """All lists of words that begin alike: by how many words they are, longest first."""

    lengths: list[int] = field(default_factory=list)
    owners: dict[tuple[str, ...], list[Owner]] = field(default_factory=dict)


class Words(Generic[Owner]):
    """Names of one or more words. Case, accents on capitals, and what stands between two words make no difference."""

    def __init__(self, listed: Iterable[tuple[str, Owner]]) -> None:
        self._by_first: dict[str, _Beginning[Owner]] = {}
        for text, owner in listed:
            words = tuple(match.group().casefold() for match in _WORD.finditer("".join(map(_plain, text))))
            if not words:
                continue
            beginning = self._by_first.setdefault(words[0], _Beginning())
            owners = beginning.owners.setdefault(words, [])
            if owner not in owners:
                owners.append(owner)
            if len(words) not in beginning.lengths:
                beginning.lengths.append(len(words))
                beginning.lengths.sort(reverse=True)

    def __bool__(self) -> bool:
        return bool(self._by_first)

    def find(self, text: str, clock: Clock) -> Iterator[tuple[int, int, Owner]]:
        if len(self._by_first) <= _FEW:
            folded = text.casefold()
            if not any(first in folded for first in self._by_first):
                return
        spans: list[tuple[int, int]] = []
        said: list[str] = []
        for number, match in enumerate(_WORD.finditer(text)):
            if not number % _OFTEN:
                clock.check()
            spans.append(match.span())
            said.append(match.group().casefold())
        for at, word in enumerate(said):
            beginning = self._by_first.get(word)
            if beginning is not None:
                yield from self._from(at, beginning, spans, said, clock)

    @staticmethod
    def _from(
        at: int, beginning: _Beginning[Owner], spans: list[tuple[int, int]], said: list[str], clock: Clock
    ) -> Iterator[tuple[int, int, Owner]]:
        clock.check()
        for length in beginning.lengths:
            owners = beginning.owners.get(tuple(said[at : at + length]))
            if owners is None or any(
                spans[next_][0] - spans[next_ - 1][1] > _GAP for next_ in range(at + 1, at + length)
            ):
                continue
            for owner in owners:
                yield spans[at][0], spans[at + length - 1][1], owner


def _plain(sign: str) -> str:
    return sign if sign.isascii() else plain(sign)

"""What is known of each word, computed once and kept: a request repeats most words of the last one."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from threading import Lock
from typing import cast

import numpy as np

from gateway.detect.tagger.weights import Floats, Weights
from gateway.detect.tagger.words import (
    COMMON,
    EDGE,
    FEATURES,
    canonical,
    compound,
    features,
    halves,
    key,
    plain,
    worth_a_look,
)

ROOM = 40_000
"""Words kept, at 100 bytes each. Beyond that everything is forgotten and learned again."""


_ALIAS = 3
"""The longest token that is kept as it stands when another stands for it: a line's end, a short number."""
_FEW = 40
"""Words looked up one by one: as many take as long in one go as the first does."""


class Page:
    """One filling of the memory. A row is written before the word that names it is, and never changes after."""

    __slots__ = ("bits", "look", "meanings", "places", "promising", "size")

    def __init__(self, meaning: int) -> None:
        self.places: dict[str, int] = {}
        """Token → its row. Few tokens are not canonical: those that stand everywhere."""
        self.promising: set[int] = set()
        """Rows of words that are worth a look."""
        self.size = 0
        self.meanings: Floats = np.zeros((ROOM, meaning), np.float32)
        self.look = np.zeros(ROOM, np.bool_)
        self.bits = np.zeros(ROOM, np.uint8)


class Lexicon:
    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._keys = array("I", weights.listed.tobytes())
        self._lock = Lock()
        self._page = Page(weights.embedding.shape[1])
        self.learned = 0
        """Words computed so far; a test reads it."""

    def read(self, tokens: Sequence[str]) -> tuple[Page, list[int]]:
        """The page and the place on it of each token; the edge is on it as well."""
        page = self._page
        known = list(map(page.places.get, tokens))
        if None not in known and EDGE in page.places:
            return page, cast("list[int]", known)
        unknown = [number for number, place in enumerate(known) if place is None]
        for number in unknown:
            known[number] = page.places.get(canonical(tokens[number]))
        if None in known or EDGE not in page.places:
            words = list(map(canonical, tokens))
            page = self._learn(words)
            known = [page.places[word] for word in words]
        for number in unknown:
            token, place = tokens[number], known[number]
            if place is not None and len(token) <= _ALIAS:
                page.places.setdefault(token, place)
        return page, cast("list[int]", known)

    def _learn(self, words: Sequence[str]) -> Page:
        with self._lock:
            page = self._page
            new = list(dict.fromkeys(word for word in (EDGE, *words) if word not in page.places))
            if page.size + len(new) > ROOM:
                page = self._page = Page(self._weights.embedding.shape[1])
                new = list(dict.fromkeys((EDGE, *words)))
            if new:
                self._write(page, new)
            return page

    def _write(self, page: Page, new: list[str]) -> None:
        first = page.size
        listed = self.listed(new)
        table = np.zeros((len(new), FEATURES), np.intp)
        for row, (word, bits) in enumerate(zip(new, listed, strict=True)):
            found = features(word, bits)
            table[row, : len(found)] = found
            page.bits[first + row] = bits
            if worth_a_look(word, bits):
                page.look[first + row] = True
                page.promising.add(first + row)
        page.meanings[first : first + len(new)] = self._weights.meanings(table).sum(axis=1)
        page.size += len(new)
        page.places.update(zip(new, range(first, first + len(new)), strict=True))
        self.learned += len(new)

    def listed(self, words: Sequence[str]) -> list[int]:
        """What the lists say of each word, as bits. Two common words in one are a common word."""
        found = self._looked_up([word.rstrip("'’") if word[0].isalpha() else "" for word in words])
        unknown = [(place, cuts) for place, bits in enumerate(found) if not bits and (cuts := halves(words[place]))]
        if unknown:
            parts = iter(self._looked_up([half for _, cuts in unknown for cut in cuts for half in cut]))
            for place, cuts in unknown:
                pairs = [compound(next(parts), next(parts)) for _ in cuts]
                found[place] = COMMON if any(pairs) else 0
        return found

    def _looked_up(self, words: Sequence[str]) -> list[int]:
        if len(words) <= _FEW:
            return [self._bits(key(plain(word))) for word in words]
        keys = np.array([key(plain(word)) for word in words], np.uint32)
        where = np.minimum(np.searchsorted(self._weights.listed, keys), len(self._weights.listed) - 1)
        bits = np.where(self._weights.listed[where] == keys, self._weights.bits[where], 0)
        known: list[int] = bits.tolist()
        return known

    def _bits(self, wanted: int) -> int:
        place = bisect_left(self._keys, wanted)
        return int(self._weights.bits[place]) if place < len(self._keys) and self._keys[place] == wanted else 0

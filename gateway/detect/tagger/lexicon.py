"""What is known of each word, computed once and kept: a request repeats most words of the last one."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt

from gateway.detect.tagger.weights import Floats, Weights
from gateway.detect.tagger.words import COMMON, EDGE, FEATURES, compound, features, halves, key, plain, worth_a_look

ROOM = 40_000
"""Words kept, at 100 bytes each. Beyond that everything is forgotten and learned again."""


class Page:
    """One filling of the memory. A row is written before the word that names it is, and never changes after."""

    __slots__ = ("bits", "look", "meanings", "places")

    def __init__(self, meaning: int) -> None:
        self.places: dict[str, int] = {}
        self.meanings: Floats = np.zeros((ROOM, meaning), np.float32)
        self.look = np.zeros(ROOM, np.bool_)
        self.bits = np.zeros(ROOM, np.uint8)


class Lexicon:
    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._lock = Lock()
        self._page = Page(weights.embedding.shape[1])
        self.learned = 0
        """Words computed so far; a test reads it."""

    def read(self, words: Sequence[str]) -> tuple[Page, npt.NDArray[np.intp]]:
        """The page and the place on it of each canonical token, the edge's first."""
        page = self._page
        places = page.places
        known = [places.get(word) for word in words]
        if None in known or EDGE not in places:
            page = self._learn(words)
            places = page.places
            known = [places.get(word) for word in words]
        return page, np.array([places[EDGE], *known, places[EDGE]], dtype=np.intp)

    def _learn(self, words: Sequence[str]) -> Page:
        with self._lock:
            page = self._page
            new = list(dict.fromkeys(word for word in (EDGE, *words) if word not in page.places))
            if len(page.places) + len(new) > ROOM:
                page = self._page = Page(self._weights.embedding.shape[1])
                new = list(dict.fromkeys((EDGE, *(word for word in words))))
            self._write(page, new)
            return page

    def _write(self, page: Page, new: list[str]) -> None:
        first = len(page.places)
        listed = self.listed(new)
        table = np.zeros((len(new), FEATURES), np.intp)
        for row, (word, bits) in enumerate(zip(new, listed, strict=True)):
            found = features(word, bits)
            table[row, : len(found)] = found
            page.bits[first + row] = bits
            page.look[first + row] = worth_a_look(word, bits)
        page.meanings[first : first + len(new)] = self._weights.embedding[table].sum(axis=1)
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
        keys = np.array([key(plain(word)) for word in words], np.uint32)
        where = np.minimum(np.searchsorted(self._weights.listed, keys), len(self._weights.listed) - 1)
        bits = np.where(self._weights.listed[where] == keys, self._weights.bits[where], 0)
        known: list[int] = bits.tolist()
        return known

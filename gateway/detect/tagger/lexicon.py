"""What is known of each word, computed once and kept: a request repeats most words of the last one."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

import numpy as np
import numpy.typing as npt

from gateway.detect.tagger.weights import REACH, Floats, Weights
from gateway.detect.tagger.words import EDGE, FEATURES, features, key, plain, worth_a_look

ROOM = 12_000
"""Words kept, at 1.5 KB each. Beyond that everything is forgotten and learned again."""
_STEP = 24
"""Words projected at once: small enough that the linear-algebra library starts no threads."""


class _Page:
    """One filling of the memory. Rows are written before the word that names them is, and never change after."""

    __slots__ = ("bits", "look", "places", "rows")

    def __init__(self, windows: int, units: int) -> None:
        self.places: dict[str, int] = {}
        self.rows: list[Floats] = [np.zeros((ROOM, units), np.float32) for _ in range(windows)]
        self.look = np.zeros(ROOM, np.bool_)
        self.bits = np.zeros(ROOM, np.uint8)


class Lexicon:
    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._lock = Lock()
        self._windows, self._units = 2 * REACH + 1, weights.hidden_bias.size
        self._page = _Page(self._windows, self._units)
        # (window, meaning, unit) → (meaning, window · unit): one product gives a word's part in every place.
        self._projection = np.ascontiguousarray(
            weights.hidden.transpose(1, 0, 2).reshape(weights.hidden.shape[1], -1), dtype=np.float32
        )
        self.learned = 0
        """Words computed so far; a test reads it."""

    def read(self, words: Sequence[str]) -> tuple[_Page, npt.NDArray[np.intp]]:
        """The page and the place on it of each canonical token, the edge's first."""
        page = self._page
        places = page.places
        known = [places.get(word) for word in words]
        if None in known or EDGE not in places:
            page = self._learn(words)
            places = page.places
            known = [places.get(word) for word in words]
        return page, np.array([places[EDGE], *known, places[EDGE]], dtype=np.intp)

    def _learn(self, words: Sequence[str]) -> _Page:
        with self._lock:
            page = self._page
            new = list(dict.fromkeys(word for word in (EDGE, *words) if word not in page.places))
            if len(page.places) + len(new) > ROOM:
                page = self._page = _Page(self._windows, self._units)
                new = list(dict.fromkeys((EDGE, *(word for word in words))))
            self._write(page, new)
            return page

    def _write(self, page: _Page, new: list[str]) -> None:
        first = len(page.places)
        listed = self.listed(new)
        table = np.zeros((len(new), FEATURES), np.intp)
        for row, (word, bits) in enumerate(zip(new, listed, strict=True)):
            found = features(word, bits)
            table[row, : len(found)] = found
            page.look[first + row] = worth_a_look(word, bits)
            page.bits[first + row] = bits
        for low in range(0, len(new), _STEP):
            meaning = self._weights.embedding[table[low : low + _STEP]].sum(axis=1)
            parts = (meaning @ self._projection).reshape(-1, self._windows, self._units)
            for window in range(self._windows):
                page.rows[window][first + low : first + low + len(parts)] = parts[:, window]
        page.places.update(zip(new, range(first, first + len(new)), strict=True))
        self.learned += len(new)

    def listed(self, words: Sequence[str]) -> list[int]:
        """What the lists say of each word, as bits."""
        keys = np.array([key(plain(word.rstrip("'’"))) if word[0].isalpha() else 0 for word in words], np.uint32)
        where = np.minimum(np.searchsorted(self._weights.listed, keys), len(self._weights.listed) - 1)
        bits = np.where(self._weights.listed[where] == keys, self._weights.bits[where], 0)
        return [int(value) for value in bits]

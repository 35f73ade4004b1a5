"""A router fitted to labelled rows: several small heads on gain, each z-scored, and the mean of them by their worth.

A head's worth is how well it foretells the gain of rows that were left out. Where a text is far from everything that
was learnt from, the length of the prompt and what the formula says of it count as well, for neither needs to be near
anything; among word problems, how many steps they take.
The same configuration makes the shipped weights and every row of the benchmark.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Final

import numpy as np

from gateway.score.encoder import Encoder
from gateway.score.formula import CEILING, formula
from gateway.score.heads import Head, Length, Smooth, fit_head
from gateway.score.smooth import Array, Doubles, landmarks, near, spread
from gateway.score.steps import plain, steps
from gateway.score.views import MEANT, Views, views

HEADS: Final = ("length", "lexical", "words", "static", "line", "meaning", "neighbours", "sense")
LEAST_WORTH = 0.02
"""What length is worth at least, whatever the training rows say of it."""
HEEDED: Final[Mapping[str, tuple[float, float]]] = MappingProxyType({"static": (0.8, 1.6), "meaning": (0.6, 1.2)})
"""Nearness up to which length counts most, and from which it counts no more than its worth. 1 is as near as training
rows are to each other. By words everything seems nearer than it is."""
UNKNOWN = 0.5
"""Where nothing near was learnt: how much more length counts, how much the formula does, and how much less the heads do
within word problems."""
CLOSE = 10
"""Landmarks whose likeness makes the nearness."""
MEASURED = 400
"""Rows on which the usual nearness is measured."""


@dataclass(frozen=True, slots=True)
class Router:
    heads: Mapping[str, Head]
    usual: Mapping[str, float]
    """How near training rows are to each other, by `static` and by `meaning`."""
    formula: tuple[float, float]
    """Mean and spread of the formula's gain over the training rows."""

    def parts(self, texts: Sequence[str]) -> dict[str, list[float]]:
        """Each head's own z-score."""
        return {name: said.tolist() for name, said in self.said(views(texts, self.heads)).items()}

    def gain(self, texts: Sequence[str]) -> list[float]:
        """A number per text: the more going out helps, the higher. It ranks; it is no probability."""
        found: list[float] = self.joined(views(texts, self.heads)).tolist()
        return found

    def said(self, seen: Views) -> dict[str, Array]:
        """Of every head that can look at these."""
        return self._said(seen, self._likenesses(seen))

    def joined(self, seen: Views) -> Array:
        return self.told(seen)[0]

    def told(self, seen: Views) -> tuple[Array, dict[str, Array]]:
        """The mean of the heads by their worth with what needs not be learnt, and each head."""
        alike = self._likenesses(seen)
        said = self._said(seen, alike)
        worth = {name: max(self.heads[name].worth, LEAST_WORTH if name == "length" else 0.0) for name in said}
        total = sum(worth.values()) or 1.0
        found: Array = np.zeros((), dtype=np.float32)
        for name, each in said.items():
            found = found + worth[name] / total * each
        return self._with_unlearnt(found, seen, self._strangeness(alike)), said

    def _with_unlearnt(self, found: Array, seen: Views, strange: Array | float) -> Array:
        """Length and the formula, the more the stranger a text is; of a word problem its steps, not the formula."""
        mean, spread = self.formula
        among = plain(seen.lexical)
        found = found * (1.0 - UNKNOWN * among * strange) + among * steps(seen.lexical, seen.relations)
        found = found + UNKNOWN * strange * (1.0 - among) * ((_formula(seen.lexical) - mean) / spread)
        if isinstance(length := self.heads.get("length"), Length):
            found = found + UNKNOWN * strange * length.z(seen)
        return found

    def _likenesses(self, seen: Views) -> dict[str, Array]:
        """How like each text is to each landmark, of the smooth heads that can look at these."""
        return {
            name: head.like(seen)
            for name, head in self.heads.items()
            if isinstance(head, Smooth) and (name not in MEANT or seen.meaning is not None)
        }

    def _said(self, seen: Views, alike: Mapping[str, Array]) -> dict[str, Array]:
        return {
            name: head.z_of(alike[name]) if isinstance(head, Smooth) else head.z(seen)
            for name, head in self.heads.items()
            if name not in MEANT or seen.meaning is not None
        }

    def _strangeness(self, alike: Mapping[str, Array]) -> Array | float:
        """How far each text is from what was learnt: 0 … 1. Nothing is known to be near where nothing says so."""
        name = "meaning" if "meaning" in alike else "static"
        if name not in alike:
            return 1.0
        low, high = HEEDED[name]
        far = (high - _close(alike[name]) / self.usual[name]) / (high - low)
        found: Array = np.minimum(np.maximum(far, 0.0), 1.0)
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
    names = [name for name in HEADS if encoder or name not in MEANT] if heads is None else list(heads)
    if unknown := set(names) - set(HEADS):
        raise ValueError(f"no head is called {sorted(unknown)}; there are {list(HEADS)}")
    gains = np.asarray(strong, dtype=np.float64) - np.asarray(weak, dtype=np.float64)
    return fit_views(views(texts, names, Encoder()), gains, names, seed)


def fit_views(seen: Views, gains: Doubles, names: Sequence[str], seed: int) -> Router:
    chosen = landmarks(len(gains), seed)
    made = {name: fit_head(name, seen, gains, chosen) for name in names}
    said = _formula(seen.lexical)
    usual = {name: _usual(head) for name, head in made.items() if isinstance(head, Smooth)}
    return Router(made, usual, (float(said.mean()), spread(said)))


def _formula(lexical: Array) -> Array:
    """The formula's gain."""
    weights, intercepts = _chances()
    chances = 1.0 / (1.0 + np.exp(-(lexical @ weights + intercepts)))
    found: Array = (np.minimum(chances[..., 1], CEILING) - chances[..., 0] + 1.0) / 2.0
    return found


@cache
def _chances() -> tuple[Array, Array]:
    """The weights of the formula's two heads, side by side, and their intercepts."""
    heads = (formula().local, formula().remote)
    weights = np.array([head.weights for head in heads], dtype=np.float32).T
    return np.ascontiguousarray(weights), np.array([head.intercept for head in heads], dtype=np.float32)


def _usual(head: Smooth) -> float:
    """The median nearness of training rows to the others."""
    like = near(head.marks[:MEASURED], head.marks, head.gamma)
    np.fill_diagonal(like, 0.0)
    return max(float(np.median(_close(like))), 1e-6)


def _close(like: Array) -> Array:
    count = min(CLOSE, like.shape[-1])
    nearest = np.partition(like, -count, axis=-1)[..., -count:]
    found: Array = np.add.reduce(nearest, axis=-1) / count
    return found


__all__ = ["HEADS", "Router", "fit_router", "fit_views"]

"""What is measured: random, length, the lexical formula, each head, the ensembles, the shipped scorer, the oracle."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from bench.routing_metrics import Array, Places
from bench.routing_rows import Outcomes

FAST, SLOW = "ensemble, fast", "ensemble, with encoder"


class Fitted(Protocol):
    """A router that was fitted to labelled rows."""

    def gain(self, texts: Sequence[str]) -> Sequence[float]: ...

    def parts(self, texts: Sequence[str]) -> Mapping[str, Sequence[float]]: ...


class Fit(Protocol):
    def __call__(
        self, texts: Sequence[str], weak: Sequence[float], strong: Sequence[float], *, encoder: bool, seed: int
    ) -> Fitted: ...


Scores = Callable[[Sequence[str]], Array]


@dataclass(frozen=True, slots=True)
class Fold:
    """What a router learns from, and the places in the suite's questions that it is then asked about."""

    train: Outcomes | Places
    """Other questions, or places in the suite's own."""
    test: Places


@dataclass(frozen=True, slots=True)
class Split:
    """Folds whose answers make one ranking: one router over all of it, or each question by the router that lacks it."""

    folds: tuple[Fold, ...]
    seed: int = 0

    @property
    def test(self) -> Places:
        return np.concatenate([fold.test for fold in self.folds])


@dataclass(frozen=True, slots=True)
class Line:
    """One router's scores: for each split, one per question of the split's test."""

    router: str
    trained: str
    scores: tuple[Array, ...] = field(repr=False)


def baselines(suite: Outcomes, splits: Sequence[Split], lexical: Scores) -> list[Line]:
    """Routers that learn nothing from the suite."""
    length = np.array([len(text) for text in suite.texts], dtype=np.float64)
    said, best = lexical(suite.texts), suite.strong - suite.weak
    drawn = tuple(np.random.default_rng(split.seed).random(len(split.test)) for split in splits)
    return [
        Line("random", "–", drawn),
        Line("prompt length", "–", tuple(length[split.test] for split in splits)),
        Line("lexical formula", "set by hand, then as shipped", tuple(said[split.test] for split in splits)),
        Line("oracle", "the answers", tuple(best[split.test] for split in splits)),
    ]


def fitted(suite: Outcomes, splits: Sequence[Split], trained: str, fit: Fit, *, encoder: bool) -> list[Line]:
    """The ensembles and their heads, fitted anew for every fold."""
    found: dict[str, list[Array]] = {}
    for split in splits:
        said: dict[str, list[Array]] = {}
        for fold in split.folds:
            for name, scores in _answers(suite, fold, fit, split.seed, encoder=encoder).items():
                said.setdefault(name, []).append(scores)
        for name, parts in said.items():
            found.setdefault(name, []).append(np.concatenate(parts))
    return [Line(name, trained, tuple(scores)) for name, scores in found.items()]


def _answers(suite: Outcomes, fold: Fold, fit: Fit, seed: int, *, encoder: bool) -> dict[str, Array]:
    rows = fold.train if isinstance(fold.train, Outcomes) else suite.at(fold.train)
    texts = suite.at(fold.test).texts
    fast = fit(rows.texts, rows.weak.tolist(), rows.strong.tolist(), encoder=False, seed=seed)
    if not encoder:
        return {**_heads(fast, texts), FAST: array(fast.gain(texts))}
    slow = fit(rows.texts, rows.weak.tolist(), rows.strong.tolist(), encoder=True, seed=seed)
    return {**_heads(slow, texts), FAST: array(fast.gain(texts)), SLOW: array(slow.gain(texts))}


def _heads(router: Fitted, texts: Sequence[str]) -> dict[str, Array]:
    return {f"head: {name}": array(scores) for name, scores in router.parts(texts).items()}


def array(scores: Sequence[float]) -> Array:
    return np.asarray(scores, dtype=np.float64)


# ── splits ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def all_of(suite: Outcomes, train: Outcomes, seed: int = 0) -> Split:
    """Learn elsewhere, be asked about every question."""
    return Split((Fold(train, np.arange(len(suite))),), seed)


def random_rows(suite: Outcomes, count: int, seed: int) -> Split:
    """Learn from `count` questions drawn at random, be asked about the others."""
    drawn = np.random.default_rng(seed).permutation(len(suite))
    return Split((Fold(drawn[:count], drawn[count:]),), seed)


def random_folds(suite: Outcomes, folds: int, seed: int) -> Split:
    drawn = np.random.default_rng(seed).permutation(len(suite))
    return _split(drawn, np.arange(len(suite)) % folds, folds, seed)


def group_folds(suite: Outcomes, folds: int, seed: int) -> Split:
    """Whole subjects or tasks are left out of what is learnt: dealt by size, so that the folds are about as big."""
    sizes = {name: suite.groups.count(name) for name in sorted(set(suite.groups))}
    held = [0] * folds
    fold_of: dict[str, int] = {}
    for name in sorted(sizes, key=lambda one: -sizes[one]):
        least = held.index(min(held))
        fold_of[name] = least
        held[least] += sizes[name]
    return _split(np.arange(len(suite)), np.array([fold_of[name] for name in suite.groups]), folds, seed)


def _split(places: Places, fold_of: Places, folds: int, seed: int) -> Split:
    """`fold_of[n]` is the fold of `places[n]`. A fold without questions is none."""
    pairs = ((places[fold_of != fold], places[fold_of == fold]) for fold in range(folds))
    return Split(tuple(Fold(train, test) for train, test in pairs if len(train) and len(test)), seed)

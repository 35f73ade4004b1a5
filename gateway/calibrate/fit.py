"""The fit: the scorer's chances, a ridge on what they miss, and rising lines that make chances of the result again.

A few hundred labels are too few to learn from scratch and enough to correct: of what thousands of own labels are
worth, two hundred on top of the shipped weights reach most (docs/calibration.md). Every figure that is reported is of
rows that the fit had not seen; the versions of one question in several languages are seen together or not at all.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gateway.calibrate.apgr import Index, Interval, apgr, interval
from gateway.calibrate.isotonic import on_line, pooled
from gateway.score.calibration import Correction

Array = NDArray[np.float64]

FOLDS = 5
STRENGTHS = (3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 1e6)
"""Of the ridge, the last one leaving nothing but the mean of what was missed."""
LEAST_SPREAD = 0.1
"""A feature that hardly varies among the probes must not count for much in a request where it does."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """One row for each probe that both models answered."""

    features: Array
    prior: Array
    """Two columns: what the scorer says of the local and of the remote model."""
    right: Array
    """Two columns, 0 or 1."""
    items: Index
    """Equal numbers are versions of one question."""

    def __len__(self) -> int:
        return len(self.items)

    def at(self, rows: Index) -> Rows:
        return Rows(self.features[rows], self.prior[rows], self.right[rows], self.items[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    local: Correction
    remote: Correction
    strength: float
    apgr: Interval
    """Of rows that the fit had not seen."""
    prior: float
    """APGR of the scorer as it is."""
    best: float
    """APGR of who knew all answers beforehand: no ranking reaches more on these rows."""
    gains: Array
    """Of each row, as the whole fit gives it."""
    unseen: Array
    """Two columns: each row's chances by a fit that had not seen it."""
    missed: tuple[float, float]
    """Mean squared error of P(local right): of the scorer as it is, and of fits that had not seen the row."""


def fit(rows: Rows, *, seed: int = 0) -> Fit:
    """Takes less than a second for 400 rows on one core."""
    unseen = np.empty((len(rows), 2))
    folds = split(rows.items, seed)
    for fold in range(FOLDS):
        out = folds == fold
        learned = _learn(rows.at(np.flatnonzero(~out)), seed + 1)
        unseen[out] = learned.chances(rows.at(np.flatnonzero(out)))
    whole = _learn(rows, seed)
    local, remote = rows.right.T
    return Fit(
        local=whole.correction(0),
        remote=whole.correction(1),
        strength=whole.strength,
        apgr=interval(_gain(unseen), local, remote, rows.items, seed=seed),
        prior=apgr(_gain(rows.prior), local, remote),
        best=apgr(remote - local, local, remote),
        gains=_gain(whole.chances(rows)),
        unseen=unseen,
        missed=(_missed(rows.prior[:, 0], local), _missed(unseen[:, 0], local)),
    )


def split(items: Index, seed: int) -> Index:
    """A fold for each row; the versions of an item are in the same one."""
    kinds, which = np.unique(items, return_inverse=True)
    turns = np.arange(len(kinds)) % FOLDS
    return np.asarray(np.random.default_rng(seed).permutation(turns)[which], dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class _Ridge:
    """What is added to the two chances, linear in the features."""

    bias: Array
    weights: Array
    """(features, 2)."""

    def __call__(self, rows: Rows) -> Array:
        return rows.prior + self.bias + rows.features @ self.weights


@dataclass(frozen=True, slots=True, eq=False)
class _Learned:
    ridge: _Ridge
    lines: tuple[tuple[Array, Array], tuple[Array, Array]]
    strength: float

    def chances(self, rows: Rows) -> Array:
        shifted = self.ridge(rows)
        return np.column_stack([on_line(shifted[:, head], *self.lines[head]) for head in (0, 1)])

    def correction(self, head: int) -> Correction:
        at, means = self.lines[head]
        weights = tuple(float(weight) for weight in self.ridge.weights[:, head])
        return Correction(float(self.ridge.bias[head]), weights, tuple(at.tolist()), tuple(means.tolist()))


def _learn(rows: Rows, seed: int) -> _Learned:
    """The strength is chosen on unseen rows, and the lines are drawn through the same ones."""
    folds = split(rows.items, seed)
    unseen = np.empty((len(STRENGTHS), len(rows), 2))
    for fold in range(FOLDS):
        out = np.flatnonzero(folds == fold)
        for at, ridge in enumerate(_ridges(rows.at(np.flatnonzero(folds != fold)))):
            unseen[at, out] = ridge(rows.at(out))
    best = _strongest(unseen, rows.right)
    local, remote = (pooled(unseen[best][:, head], rows.right[:, head]) for head in (0, 1))
    return _Learned(_ridges(rows)[best], (local, remote), STRENGTHS[best])


def _strongest(unseen: Array, right: Array) -> int:
    """The strongest ridge that misses the gain of unseen rows hardly more than the best one: within a standard error.

    What a few hundred rows seem to say beyond that is mostly chance, and the shipped weights have seen more.
    """
    missed = ((unseen[:, :, 1] - unseen[:, :, 0]) - (right[:, 1] - right[:, 0])) ** 2
    least = int(np.argmin(missed.mean(axis=1)))
    more = missed - missed[least]
    error = more.std(axis=1) / np.sqrt(len(right))
    return int(np.flatnonzero(more.mean(axis=1) <= error)[-1])


def _ridges(rows: Rows) -> list[_Ridge]:
    """One for each strength, from one decomposition: of features by features or rows by rows, whichever is smaller."""
    mean = rows.features.mean(axis=0)
    spread = np.maximum(rows.features.std(axis=0), LEAST_SPREAD)
    scaled = (rows.features - mean) / spread
    missed = rows.right - rows.prior
    middle = missed.mean(axis=0)
    of_features = scaled.shape[1] <= scaled.shape[0]
    values, vectors = np.linalg.eigh(scaled.T @ scaled if of_features else scaled @ scaled.T)
    turned = vectors.T @ (scaled.T @ (missed - middle) if of_features else missed - middle)
    ridges = []
    for strength in STRENGTHS:
        inner = vectors @ (turned / (np.maximum(values, 0.0) + strength)[:, None])
        weights = (inner if of_features else scaled.T @ inner) / spread[:, None]
        ridges.append(_Ridge(middle - mean @ weights, weights))
    return ridges


def _gain(chances: Array) -> Array:
    return np.asarray((chances[:, 1] - chances[:, 0] + 1) / 2)


def _missed(said: Array, right: Array) -> float:
    return float(np.mean((said - right) ** 2))

"""Trains the head on measured probes, and says whether the drafts are worth their time for this local model.

It is judged on rows it was not trained on, against the better of two rankings that need no draft: the score as it
came, and the score fitted to the same rows. Without an interval clear of zero there is no head.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gateway.calibrate.apgr import Array, Index, apgr
from gateway.calibrate.fit import FOLDS, split
from gateway.cascade.head import FAR, Head
from gateway.cascade.signs import BEFORE, Signs
from gateway.core.beginning import Beginning
from gateway.core.types import Json

FEWEST = 60
"""Rows under which nothing can be told apart from chance."""
DRAWS = 2000
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""Of the ridge, in rows; chosen on the training rows alone."""
SEED = 7


@dataclass(frozen=True, slots=True)
class Row:
    """One probe: its signs, and how well each of the two models answered it, 0 … 1."""

    signs: tuple[float, ...]
    local: float
    remote: float
    group: str = ""
    """Rows that ask the same, as translations do, share it: a head is not judged on what it was trained to say."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What came of it. APGR is the share of the gap between the models that a ranking recovers, over all shares."""

    head: Head | None
    """None where drafts are not worth it."""
    rows: int
    why: str
    """In one sentence, for whoever runs the calibration."""
    without: float = math.nan
    """APGR of the better ranking that needs no draft."""
    drafted: float = math.nan
    low: float = math.nan
    high: float = math.nan
    """95 % interval of the difference."""

    def to_json(self) -> dict[str, Json] | None:
        """The calibration's `cascade`: the head and what it is worth, or null."""
        if self.head is None:
            return None
        worth = {"apgr": self.drafted, "apgr_without": self.without, "low": self.low, "high": self.high}
        return {**self.head.to_json(), "rows": self.rows, **{name: round(value, 4) for name, value in worth.items()}}


def row(
    before: tuple[float | None, float | None, float | None],
    beginning: Beginning,
    *,
    local: float,
    remote: float,
    group: str = "",
) -> Row:
    """A measured probe. `before` are the signs BEFORE, of a score without this row's own label in it."""
    signs = Signs().read(*before, beginning.sureness, beginning.text, beginning.finished)
    return Row(signs, local, remote, group)


def fit(rows: Sequence[Row], *, tokens: int) -> Fitted:
    """`tokens` is the `most_tokens` of the rows' beginnings."""
    if len(rows) < FEWEST:
        return Fitted(None, len(rows), f"{len(rows)} probes are too few to judge drafts by; it takes {FEWEST}")
    signs = np.array([each.signs for each in rows], dtype=float)
    local = np.array([each.local for each in rows], dtype=float)
    remote = np.array([each.remote for each in rows], dtype=float)
    if not remote.mean() > local.mean():
        return Fitted(None, len(rows), "the remote model was not better on these probes, so there is nothing to gain")
    target = (remote - local + 1) / 2
    known = len(BEFORE)
    groups = _groups(rows)
    fold = split(groups, SEED)
    rankings = [np.nan_to_num(signs[:, 0], nan=0.5), _held_out(signs[:, :known], target, fold)]
    without = max(rankings, key=lambda ranking: apgr(ranking, local, remote))
    drafted = _held_out(signs, target, fold)
    low, high = interval(drafted, without, local, remote, groups)
    figures: dict[str, Any] = {
        "without": apgr(without, local, remote), "drafted": apgr(drafted, local, remote), "low": low, "high": high,
    }  # fmt: skip
    told = f"APGR {figures['without']:.3f} without, {figures['drafted']:.3f} with them ({low:+.3f} … {high:+.3f} more)"
    if not low > 0:
        return Fitted(None, len(rows), f"drafts are not worth it: {told}", **figures)
    return Fitted(_head(signs, target, tokens), len(rows), f"drafts are worth it: {told}", **figures)


def interval(one: Array, other: Array, local: Array, remote: Array, groups: Index) -> tuple[float, float]:
    """95 % of the difference of two rankings' APGR, over draws of groups. Endless where the gap is not there often."""
    chance = np.random.default_rng(SEED)
    members = [np.flatnonzero(groups == group) for group in range(groups.max() + 1)]
    differences = []
    for _ in range(DRAWS):
        drawn = np.concatenate([members[group] for group in chance.integers(0, len(members), len(members))])
        pair = [apgr(ranking[drawn], local[drawn], remote[drawn]) for ranking in (one, other)]
        differences.append(pair[0] - pair[1])
    told = [each for each in differences if math.isfinite(each)]
    if len(told) < 0.95 * DRAWS:
        return (-math.inf, math.inf)
    low, high = np.quantile(told, (0.025, 0.975))
    return float(low), float(high)


def held_out(rows: Sequence[Row]) -> Array:
    """Each row's gain by a head that was trained on other groups: what drafts can be judged by."""
    signs = np.array([each.signs for each in rows])
    target = np.array([each.remote - each.local + 1 for each in rows]) / 2
    return _held_out(signs, target, split(_groups(rows), SEED))


def _groups(rows: Sequence[Row]) -> Index:
    """A number for each row's group. A row without one stands alone."""
    names = [each.group or number for number, each in enumerate(rows)]
    numbers = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([numbers[name] for name in names])


def _held_out(signs: Array, target: Array, fold: Index) -> Array:
    """Each row's gain by a head that was trained on the other folds."""
    said = np.empty(len(target))
    for number in range(FOLDS):
        held = fold == number
        said[held] = _predicted(signs[~held], target[~held], signs[held])
    return said


def _predicted(signs: Array, target: Array, others: Array) -> Array:
    usual, spread = _scale(signs)
    intercept, weights = _ridge(_standard(signs, usual, spread), target, _strength(signs, target))
    return intercept + _standard(others, usual, spread) @ weights


def _head(signs: Array, target: Array, tokens: int) -> Head:
    usual, spread = _scale(signs)
    intercept, weights = _ridge(_standard(signs, usual, spread), target, _strength(signs, target))
    lists = [tuple(round(float(each), 6) for each in column) for column in (weights, usual, spread)]
    return Head(round(intercept, 6), lists[0], lists[1], lists[2], tokens)


def _strength(signs: Array, target: Array) -> float:
    """The ridge that errs least on rows held out of these."""
    part = np.arange(len(target)) % FOLDS

    def error(strength: float) -> float:
        total = 0.0
        for number in range(FOLDS):
            held = part == number
            usual, spread = _scale(signs[~held])
            intercept, weights = _ridge(_standard(signs[~held], usual, spread), target[~held], strength)
            total += float(np.sum((intercept + _standard(signs[held], usual, spread) @ weights - target[held]) ** 2))
        return total

    return min(STRENGTHS, key=error)


def _scale(signs: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each sign where it is known. One that never changes has weight nothing."""
    known = np.isfinite(signs)
    count = np.maximum(known.sum(axis=0), 1)
    usual = np.where(known, signs, 0.0).sum(axis=0) / count
    spread = np.sqrt(np.where(known, (signs - usual) ** 2, 0.0).sum(axis=0) / count)
    return usual, np.where(spread > 1e-9, spread, 1.0)


def _standard(signs: Array, usual: Array, spread: Array) -> Array:
    scaled: Array = np.clip(np.nan_to_num((signs - usual) / spread, nan=0.0), -FAR, FAR)
    return scaled


def _ridge(signs: Array, target: Array, strength: float) -> tuple[float, Array]:
    mean = signs.mean(axis=0)
    moved, intercept = signs - mean, float(target.mean())
    weights = np.linalg.solve(moved.T @ moved + strength * np.eye(moved.shape[1]), moved.T @ (target - intercept))
    return intercept - float(mean @ weights), weights

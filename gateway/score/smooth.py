"""Smooth heads: what gain the training rows nearby had, each the more heard the nearer it is (kernel ridge regression).

Far from every training row such a head says the average and nothing else, which is the honest answer there; a linear
head would go on in a straight line. Only vectors and weights are kept, never a text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array: TypeAlias = NDArray[np.float32]
Doubles: TypeAlias = NDArray[np.float64]

MOST = 2048
"""Rows that are kept as landmarks; where there are more, a fixed random choice of so many stands for all."""
STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)


@dataclass(frozen=True, slots=True)
class Fitted:
    weights: Array
    """One per landmark, or per feature."""
    mean: float
    spread: float
    """Of what it says about rows that it did not see, …"""
    worth: float
    """… and how that correlates with what they gained."""


def landmarks(count: int, seed: int) -> NDArray[np.intp]:
    found: NDArray[np.intp] = np.sort(np.random.default_rng(seed).permutation(count)[:MOST])
    return found


def near(ours: Array, theirs: Array, gamma: float, squares: Array | None = None) -> Array:
    """exp(−γ · squared distance): 1 at the same place, nothing far away. `squares`: those of `theirs`, summed.

    `ours` are rows, or a single one; then so is the answer.
    """
    if squares is None:
        squares = squared(theirs)
    # In place: a text has 2,048 distances, and copying them at every step took as long as the product.
    found: Array = squared(ours)[..., None] + squares
    found -= (2.0 * ours) @ theirs.T
    np.maximum(found, 0.0, out=found)
    found *= -gamma
    return np.exp(found, out=found)


def squared(rows: Array) -> Array:
    found: Array = np.einsum("...j,...j->...", rows, rows)
    return found


def fit(across: Array, chosen: NDArray[np.intp], gains: Doubles, strength: float) -> Fitted:
    """`across`: how like each row is to each landmark; `strength`: how many equal rows it takes to be half believed."""
    centred = gains - gains.mean()
    likeness = across.astype(np.float64)
    if len(chosen) == len(gains):
        inverse = np.linalg.inv(likeness + strength * np.eye(len(gains)))
        weights = inverse @ centred
        left_out = centred - weights / np.diag(inverse)
    else:
        inverse = np.linalg.inv(
            likeness.T @ likeness + strength * likeness[chosen] + 1e-6 * len(gains) * np.eye(len(chosen))
        )
        weights = inverse @ (likeness.T @ centred)
        leverage = ((likeness @ inverse) * likeness).sum(axis=1)
        left_out = centred - (centred - likeness @ weights) / np.maximum(1.0 - leverage, 1e-3)
    return _fitted(weights, left_out, gains)


def fit_line(rows: Array, gains: Doubles) -> Fitted:
    """Ridge regression; its strength is the one by which rows that are left out are told best."""
    inner, centred = rows.astype(np.float64) - rows.mean(axis=0), gains - gains.mean()
    left, sizes, right = np.linalg.svd(inner, full_matrices=False)
    told = left.T @ centred
    best, found = np.inf, None
    for strength in STRENGTHS:
        kept = sizes**2 / (sizes**2 + strength)
        leverage = (left**2) @ kept + 1.0 / len(gains)
        left_out = centred - (centred - left @ (kept * told)) / np.maximum(1.0 - leverage, 1e-3)
        loss = float(((centred - left_out) ** 2).mean())
        if loss < best:
            best, found = loss, (right.T @ (sizes / (sizes**2 + strength) * told), left_out)
    assert found is not None
    weights, left_out = found
    # It is applied to rows as they are, not to centred ones.
    shift = float(rows.mean(axis=0) @ weights)
    fitted = _fitted(weights, left_out, gains)
    return Fitted(fitted.weights, fitted.mean + shift, fitted.spread, fitted.worth)


def _fitted(weights: Doubles, left_out: Doubles, gains: Doubles) -> Fitted:
    return Fitted(weights.astype(np.float32), float(left_out.mean()), spread(left_out), correlation(left_out, gains))


def spread(values: NDArray[np.floating[Any]]) -> float:
    """The standard deviation; 1 where nothing varies, so that it can be divided by."""
    found = float(values.std())
    return found if found > 1e-9 else 1.0


def correlation(said: NDArray[np.floating[Any]], gains: Doubles) -> float:
    """Between −1 and 1; 0 where one of them does not vary."""
    return float(((said - said.mean()) * (gains - gains.mean())).mean() / (spread(said) * spread(gains)))

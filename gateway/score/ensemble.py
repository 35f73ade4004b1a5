"""The ensemble beside the formula: how much a remote model usually gains on texts like this one, and what it changes.

The formula's two chances are for a tiny local model and rest on cue words; the ensemble has learnt from larger pairs,
in numbers that mean more or less, not how much. So it tilts both chances by a bounded amount. Where the formula is sure
that an ask is beyond a tiny model, what it still tells apart among such asks is worth little: there the ensemble
orders.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from gateway.score.ask import Ask
from gateway.score.features import NAMES, Reading, read
from gateway.score.formula import CEILING, logistic
from gateway.score.hashing import places
from gateway.score.lexicon import lexicon
from gateway.score.shipped import shipped
from gateway.score.static import WIDTH, static
from gateway.score.steps import relations
from gateway.score.views import Views

if TYPE_CHECKING:
    from gateway.score.router import Router
    from gateway.score.smooth import Array

TILT_LOCAL, TILT_REMOTE = 0.5, 0.6
"""Logits per z. Chosen on development rows: with these no hand-written case changes sides."""
MOST = 1.5
"""z that no pull exceeds, and that none reaches: of two that are far beyond, the further one still counts more."""
EASY, HARD = 0.6, 0.7
"""Gains of the formula: below the first its two chances count as they are, from the second on the ensemble orders."""
BEYOND = (-4.0, 0.5)
"""Logits of both chances for what is beyond a tiny model, before the ensemble tilts them."""
LENGTH = len(NAMES) + WIDTH + 1
"""Numbers of a vector: the lexical features in the order of NAMES, the static embedding, and z."""


@dataclass(frozen=True, slots=True)
class Impression:
    """What the ensemble made of one ask."""

    z: float
    """How much going out usually helps with such texts: 0 = as with the average training row."""
    heads: Mapping[str, float]
    views: Views


class Ensemble:
    """The shipped tables and weights. Making one reads them. Raises weights.Damaged."""

    def __init__(self, router: Router) -> None:
        self._static, self._router = static(), router

    def fast(self, ask: Ask, reading: Reading) -> Impression:
        """Without an encoder. Raises ValueError where the weights make no number of it."""
        views = Views(
            lexical=np.array(reading.values, dtype=np.float32),
            words=places(ask.tokens),
            static=self._static.vector(ask.tokens),
            relations=np.array(relations(ask.tokens), dtype=np.float32),
        )
        return self._seen(views)

    def slow(self, fast: Impression, meaning: Array) -> Impression:
        """With what the encoder read: one row."""
        return self._seen(replace(fast.views, meaning=meaning[0]))

    def _seen(self, views: Views) -> Impression:
        z, said = self._router.told(views)
        if not math.isfinite(float(z)):
            raise ValueError("the ensemble's answer is no number")
        return Impression(float(z), {name: float(each) for name, each in said.items()}, views)


@cache
def ensemble(meanings: bool = False) -> Ensemble:
    """Read at the first call, not at import. `meanings`: with the heads that need an encoder. Raises Damaged."""
    return Ensemble(shipped(meanings=meanings))


def tilted(local: float, remote: float, z: float) -> tuple[float, float]:
    """(P(local right), P(remote right)) of the formula, as the ensemble sees them.

    It never makes the local model look better: what is easy for large models need not be for a tiny one.
    """
    pull = MOST * math.tanh(z / MOST)
    hard = max(0.0, min(1.0, ((remote - local + 1) / 2 - EASY) / (HARD - EASY)))
    here, outside = _logit(local) - TILT_LOCAL * max(pull, 0.0), _logit(remote)
    here += hard * (BEYOND[0] - TILT_LOCAL * pull - here)
    outside += hard * (BEYOND[1] - outside) + TILT_REMOTE * pull
    return min(local, logistic(here)), min(CEILING, logistic(outside))


def features(reading: Reading, seen: Impression | None) -> tuple[float, ...]:
    """What a calibration's correction looks at: LENGTH numbers; zeros for what an ensemble that failed did not see."""
    if seen is None:
        return (*reading.values, *(0.0,) * (WIDTH + 1))
    return (*reading.values, *seen.views.static.tolist(), seen.z)


def vector(ask: Ask) -> list[float]:
    """The features of an ask. Raises weights.Damaged."""
    reading = read(ask, lexicon())
    return list(features(reading, ensemble().fast(ask, reading)))


def _logit(chance: float) -> float:
    held = max(1e-9, min(1 - 1e-9, chance))
    return math.log(held / (1 - held))

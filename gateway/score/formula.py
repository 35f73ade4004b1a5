"""The formula: gain = (P(remote right) − P(local right) + 1) / 2, from two logistic heads over the features.

The heads are numbers in `data/lexical.json`, made by `python -m gateway.score.train`. 0.5 says that going out makes no
difference, 0.9 that the remote model would be right where the local one would not.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from operator import mul
from typing import Any

from gateway.score.features import NAMES
from gateway.score.lexicon import DATA

CEILING = 0.95
"""Nobody is right more often than this: a remote model also misreads, refuses and breaks off."""
FAR = 0.3
"""Distance from the threshold of the shipped policy at which the formula is as sure as it gets."""
THRESHOLD = 0.55
GREY = (0.45, 0.7)
"""Fast gains for which an encoder is asked: around the shipped threshold, where it may change the side."""


@dataclass(frozen=True, slots=True)
class Head:
    """A logistic head: 1 / (1 + e^−(intercept + Σ weight × feature))."""

    intercept: float
    weights: tuple[float, ...]

    def chance(self, values: Sequence[float]) -> float:
        return logistic(self.intercept + sum(map(mul, self.weights, values)))


@dataclass(frozen=True, slots=True)
class Formula:
    local: Head
    remote: Head

    def gain(self, values: Sequence[float], *, local_fit: bool = True) -> float:
        """Between 0 and 1. `local_fit` false: the local model cannot serve it at all, and the gain is 0.9 or more."""
        if not local_fit:
            return max(0.9, (min(self.remote.chance(values), CEILING) + 1) / 2)
        return (min(self.remote.chance(values), CEILING) - self.local.chance(values) + 1) / 2


@cache
def formula() -> Formula:
    """The shipped formula. Read at the first call, not at import."""
    return load(json.loads((DATA / "lexical.json").read_text(encoding="utf-8")))


def load(document: Mapping[str, Any]) -> Formula:
    """A formula from its document; every feature must have its weight, and no other."""
    return Formula(_head(document["local"]), _head(document["remote"]))


def _head(part: Mapping[str, Any]) -> Head:
    weights = part["weights"]
    if set(weights) != set(NAMES):
        raise ValueError(f"the weights name other features: {sorted(set(weights) ^ set(NAMES))}")
    return Head(float(part["intercept"]), tuple(float(weights[name]) for name in NAMES))


def logistic(logit: float) -> float:
    return 1.0 / (1.0 + math.exp(-max(-30.0, min(30.0, logit))))


def sureness(gain: float, *, cues: int, known_language: bool) -> float:
    """How likely it is that gain lies on the right side of the shipped threshold, as a rule of thumb: 0.5 … 0.95.

    Far from the threshold is sure, near it is a coin; without a cue, or in a language without cues, a little less.
    """
    distance = min(1.0, abs(gain - THRESHOLD) / FAR)
    reach = 0.45 if cues and known_language else 0.3
    return 0.5 + reach * distance

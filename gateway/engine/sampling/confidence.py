"""How sure the model was of a token, by its own distribution: before bias, penalties, temperature and grammar."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from gateway.core.confidence import BEYOND
from gateway.engine.sampling.choice import largest

_FLOOR = -BEYOND
"""OpenAI's own number for "so unlikely that nobody counts": minus infinity is no JSON."""


class Figures(NamedTuple):
    """Three numbers of one token; no text in them."""

    logprob: float
    """Of the token that was chosen."""
    entropy: float
    """Of the whole distribution, in nats: 0 is certainty."""
    margin: float
    """How far the likeliest token is ahead of the second, as a difference of log-probabilities."""


class Vocabulary(Protocol):
    """What is asked of a model here."""

    def piece(self, token: int) -> bytes: ...

    def token_text(self, token: int) -> str: ...


def confidence(logits: NDArray[np.float32], token: int) -> Figures:
    """Read one row of logits. Every number is finite, whatever the logits hold.

    One row at a time: a block of rows leaves the processor's cache between the passes and takes five times as long.
    """
    first = int(logits.argmax())
    with np.errstate(invalid="ignore", over="ignore"):
        below = logits - logits[first]
        weights = np.exp(below)
        mass = float(weights.sum())
        if not mass >= 1:  # no numbers: the model's weights are damaged, and nothing is known
            return Figures(_FLOOR, 0.0, 0.0)
        mean = float(np.dot(weights, below)) / mass
        if not math.isfinite(mean):  # 0 × −∞: a token that cannot be has no weight, and no part in the mean
            mean = float(np.dot(weights, np.maximum(below, np.float32(_FLOOR)))) / mass
    total = math.log(mass)
    logprob = float(below[token]) - total
    below[first] = -math.inf
    return Figures(_finite(logprob), max(0.0, total - mean), -_finite(float(below.max())))


def logprobs(
    model: Vocabulary, logits: NDArray[np.float32], token: int, top: int, sure: Figures | None = None
) -> dict[str, Any]:
    """OpenAI's entry for a chosen token. `sure` is what `confidence` said of it: then nothing is summed up twice."""
    sure = confidence(logits, token) if sure is None else sure
    total = float(logits[token]) - sure.logprob if sure.logprob > _FLOOR else _log_of_sum(logits)
    return _entry(model, token, sure.logprob) | {
        "top_logprobs": [
            _entry(model, one, _finite(float(logits[one]) - total))
            for one in (largest(logits, top).tolist() if top else ())
        ]
    }


def _log_of_sum(logits: NDArray[np.float32]) -> float:
    most = float(logits.max())
    return most + math.log(float(np.exp(logits - most).sum()))


def _entry(model: Vocabulary, token: int, logprob: float) -> dict[str, Any]:
    piece = model.piece(token)
    text = piece.decode("utf-8", "replace") if piece else model.token_text(token)
    return {"token": text, "logprob": logprob, "bytes": list(piece)}


def _finite(value: float) -> float:
    return value if value > _FLOOR else _FLOOR

"""Training of the network: word features summed, a window of words into hidden units, labels out. Plain numpy."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
import numpy.typing as npt

from gateway.detect.tagger.weights import LABELS, REACH
from gateway.detect.tagger.words import BUCKETS

_DOUBT = 0.02
"""How far from certain the right label is said to be, so that the network does not learn the templates by heart."""
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int32]


@dataclass(slots=True)
class Batch:
    features: Ints
    """A row of buckets per token, edges included."""
    labels: Ints
    weights: Floats
    """Nothing for edges and for what is in doubt."""


class Net:
    def __init__(self, random: np.random.Generator, *, meaning: int, units: int) -> None:
        window = 2 * REACH + 1
        self.embedding = (random.standard_normal((BUCKETS, meaning)) * 0.0).astype(np.float32)
        self.hidden = (random.standard_normal((window * meaning, units)) * np.sqrt(2 / (window * meaning))).astype(
            np.float32
        )
        self.hidden_bias = np.full(units, 0.1, np.float32)
        self.output = (random.standard_normal((units, len(LABELS))) * np.sqrt(1 / units)).astype(np.float32)
        self.output_bias = np.zeros(len(LABELS), np.float32)
        self._adam = {name: (np.zeros_like(part), np.zeros_like(part)) for name, part in self._dense().items()}
        self._seen = np.zeros((BUCKETS, meaning), np.float32)
        self._steps = 0
        self._random = random
        self._sparse: Any = import_module("scipy.sparse")
        self.meaning = meaning

    def _dense(self) -> dict[str, Floats]:
        return {name: getattr(self, name) for name in ("hidden", "hidden_bias", "output", "output_bias")}

    def step(self, batch: Batch, rate: float, *, keep: float = 0.65) -> float:
        """One update; the loss per token that counts. Features are dropped at random so that none is leant on."""
        kept = batch.features * (self._random.random(batch.features.shape) < keep)
        meanings = self.embedding[kept].sum(axis=1) / keep
        meanings = np.pad(meanings, ((REACH, REACH), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(meanings, 2 * REACH + 1, axis=0)
        windows = np.ascontiguousarray(windows.transpose(0, 2, 1)).reshape(len(kept), -1)
        inner = windows @ self.hidden + self.hidden_bias
        units = np.maximum(inner, 0)
        mask = (self._random.random(units.shape) < 0.85) / np.float32(0.85)
        units = units * mask.astype(np.float32)
        chances = softmax(units @ self.output + self.output_bias)
        rows = np.arange(len(kept))
        total = max(float(batch.weights.sum()), 1.0)
        loss = -float((np.log(chances[rows, batch.labels] + 1e-9) * batch.weights).sum()) / total
        wrong = chances
        wrong[rows, batch.labels] -= 1 - _DOUBT
        wrong -= _DOUBT / len(LABELS)
        wrong *= (batch.weights / total)[:, None]
        back = (wrong @ self.output.T) * mask.astype(np.float32) * (inner > 0)
        self._steps += 1
        spread = (back @ self.hidden.T).reshape(len(kept), 2 * REACH + 1, self.meaning)
        self._move("output", units.T @ wrong, rate)
        self._move("output_bias", wrong.sum(axis=0), rate)
        self._move("hidden", windows.T @ back, rate)
        self._move("hidden_bias", back.sum(axis=0), rate)
        upon = np.zeros((len(kept) + 2 * REACH, self.meaning), np.float32)
        for place in range(2 * REACH + 1):
            upon[place : place + len(kept)] += spread[:, place]
        self._embed(kept, upon[REACH:-REACH] / keep, rate)
        return loss

    def _move(self, name: str, slope: Floats, rate: float) -> None:
        first, second = self._adam[name]
        first *= 0.9
        first += 0.1 * slope
        second *= 0.999
        second += 0.001 * slope * slope
        part = getattr(self, name)
        part -= rate * (first / (1 - 0.9**self._steps)) / (np.sqrt(second / (1 - 0.999**self._steps)) + 1e-8)

    def _embed(self, kept: Ints, slope: Floats, rate: float) -> None:
        """Adagrad on the rows that were used, so that rare features still move."""
        used, where = np.unique(kept, return_inverse=True)
        flat = where.reshape(-1)
        tokens = np.repeat(np.arange(len(kept)), kept.shape[1])
        ties = self._sparse.csr_array((np.ones(len(flat), np.float32), (flat, tokens)), shape=(len(used), len(kept)))
        total = np.asarray(ties @ slope, dtype=np.float32)
        total[used == 0] = 0
        self._seen[used] += total * total
        self.embedding[used] -= rate * 10 * total / (np.sqrt(self._seen[used]) + 1e-6)

    def chances(self, features: Ints) -> Floats:
        meanings = np.pad(self.embedding[features].sum(axis=1), ((REACH, REACH), (0, 0)))
        windows = np.lib.stride_tricks.sliding_window_view(meanings, 2 * REACH + 1, axis=0)
        windows = np.ascontiguousarray(windows.transpose(0, 2, 1)).reshape(len(features), -1)
        return softmax(np.maximum(windows @ self.hidden + self.hidden_bias, 0) @ self.output + self.output_bias)


def softmax(scores: Floats) -> Floats:
    scores = scores - scores.max(axis=1, keepdims=True)
    np.exp(scores, out=scores)
    return np.asarray(scores / scores.sum(axis=1, keepdims=True), dtype=np.float32)

"""How well a model foresees a text: the log-probability of each of its tokens, given those before it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from gateway.engine.batch.context import Context

CHUNK = 128
"""Tokens of one step: each needs its own row of logits, which has up to a quarter of a million numbers."""


def logprobs(
    context: Context,
    tokens: Sequence[int],
    *,
    sequence: int = 0,
    room: Callable[[int], int] | None = None,
    enough: Callable[[], bool] | None = None,
    chunk: int = CHUNK,
) -> NDArray[np.float64]:
    """For each token its log-probability in nats; NaN where it had none before it.

    Several tokens are computed in one step, `chunk` at most. When the context is full, `room` is told how many tokens
    it holds, makes room, and says how many it holds then; without it everything is forgotten and a new window begins.
    Stops early, with what it has, once `enough` says so. The sequence is empty before and afterwards.
    """
    found = np.full(len(tokens), np.nan)
    chunk = min(chunk, context.n_batch)
    held = context.keep(sequence, 0)
    before: NDArray[np.float32] | None = None
    done = 0
    while done < len(tokens) and not (enough is not None and enough()):
        if held == context.n_context:
            held = room(held) if room is not None else context.keep(sequence, 0)
            before = before if held else None
        count = min(chunk, context.n_context - held, len(tokens) - done)
        piece = tokens[done : done + count]
        rows = context.decode(piece, range(held, held + count), [sequence] * count, [True] * count)
        if before is not None:
            found[done : done + 1] = _of(before[None], piece[:1])
        found[done + 1 : done + count] = _of(rows[:-1], piece[1:])
        before = rows[-1].copy()
        held += count
        done += count
    context.keep(sequence, 0)
    return found[:done]


def perplexity(found: NDArray[np.float64]) -> float:
    """Of log-probabilities as `logprobs` gives them: among how many words the model hesitates, on average."""
    return math.exp(-float(np.nanmean(found)))


def change(found: NDArray[np.float64], base: NDArray[np.float64]) -> tuple[float, float]:
    """By which part the perplexity differs from `base` on the same tokens, and the standard error of that figure."""
    count = min(len(found), len(base))
    differences = base[:count] - found[:count]
    differences = differences[~np.isnan(differences)]
    mean = float(differences.mean())
    error = float(differences.std(ddof=1)) / math.sqrt(len(differences)) if len(differences) > 1 else math.inf
    return math.expm1(mean), math.exp(mean) * error


def _of(rows: NDArray[np.float32], tokens: Sequence[int]) -> NDArray[np.float64]:
    """Row by row, so that no second matrix of that size is made."""
    found = np.empty(len(tokens))
    for index, token in enumerate(tokens):
        row = rows[index]
        top = float(row.max())
        found[index] = float(row[token]) - top - math.log(float(np.exp(row - top).sum()))
    return found

"""A text longer than the context, read by a window that slides over it: what is foreseen, and what is remembered."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gateway.engine.batch.scheduler import SHIFT_SHARE
from gateway.engine.tuning.perplexity import logprobs, perplexity

if TYPE_CHECKING:
    from gateway.engine.batch.context import Context
    from gateway.engine.batch.model import Model

SINKS = 4
"""What the engine keeps at least."""
_COLOURS = (
    "amber", "black", "blue", "bronze", "copper", "cream", "green", "grey", "ivory", "olive", "pink", "purple", "red",
    "silver", "white", "yellow",
)  # fmt: skip
_THINGS = (
    "barrel", "basket", "bottle", "box", "bucket", "cabinet", "case", "chest", "crate", "drawer", "folder", "jar",
    "locker", "parcel", "sack", "shelf", "suitcase", "tin", "tray", "trunk",
)  # fmt: skip

_WORDS = (
    "apple", "river", "candle", "window", "garden", "pepper", "thunder", "marble", "pillow", "ladder", "rocket",
    "violin", "castle", "feather", "monkey", "orange", "paper", "rabbit", "summer", "tiger", "butter", "copper",
    "dragon", "engine",
)  # fmt: skip


def _discard(window: int, keep: int) -> int:
    """As many as the engine drops at once when its context is full."""
    return max(1, (window - keep) // SHIFT_SHARE)


def perplexities(open_context: Callable[[int], Context], tokens: Sequence[int], window: int) -> list[dict[str, Any]]:
    """Of the tokens that a window no longer holds whole: with 0, 1 and 4 sinks, computed anew, and without a limit."""
    rows = []
    context = open_context(window)
    for sinks in (0, 1, SINKS):
        rows.append(_read(f"{sinks} sinks", context, tokens, window, _shifting(context, window, sinks)))
    rows.append(_read("computed anew", context, tokens, window, _anew(context, tokens, window)))
    context.close()
    context = open_context(len(tokens))
    rows.append(_read("everything kept", context, tokens, window, None))
    context.close()
    return rows


def _read(
    name: str, context: Context, tokens: Sequence[int], window: int, room: Callable[[int], int] | None
) -> dict[str, Any]:
    before = time.process_time()
    found = logprobs(context, tokens, room=room)
    spent = time.process_time() - before
    return {"name": name, "within": perplexity(found[:window]), "beyond": perplexity(found[window:]), "cpu_s": spent}


def _shifting(context: Context, window: int, sinks: int) -> Callable[[int], int]:
    def room(held: int) -> int:
        context.shift(0, sinks, discard := _discard(window, sinks))
        return held - discard

    return room


def _anew(context: Context, tokens: Sequence[int], window: int) -> Callable[[int], int]:
    """Forget everything and read again what the window would hold: right, and dear."""
    discard, end = _discard(window, 0), window

    def room(held: int) -> int:
        nonlocal end
        rest = tokens[end - (held - discard) : end]
        end += discard
        context.keep(0, 0)
        context.decode(rest, range(len(rest)), [0] * len(rest), [False] * len(rest))
        return len(rest)

    return room


class Facts:
    """Prose with a fact of one sentence after every stretch of it, no two about the same thing."""

    def __init__(self, model: Model, prose: Sequence[int], seed: int, every: int = 48) -> None:
        dice = random.Random(seed)
        names = [f"The password of the {colour} {thing} is" for colour in _COLOURS for thing in _THINGS]
        dice.shuffle(names)
        self.questions = [model.tokens("\n" + name) for name in names]
        # In turn: within any window no two answers are alike, so that none is hit by naming another's.
        self.answers = [model.tokens(" " + _WORDS[number % len(_WORDS)]) for number in range(len(names))]
        ends = model.tokens(".\n")
        # The prose begins anew where it is used up: by then no window holds its first reading.
        stretch = [
            [prose[(number * every + index) % len(prose)] for index in range(every)] for number in range(len(names))
        ]
        self.pieces = [
            [*before, *question, *answer, *ends]
            for before, question, answer in zip(stretch, self.questions, self.answers, strict=True)
        ]


def recall(
    context: Context, facts: Facts, distances: Sequence[int], window: int | None, questions: int, spare: int = 24
) -> dict[int, float]:
    """By how many tokens lie between a fact and the question for it: the share of right answers.

    A question is forgotten again once it is answered, so that what lies before it stays as it was.
    """
    room = window or context.n_context
    held, read = 0, 0
    ends: list[int] = []
    right: dict[int, list[bool]] = {distance: [] for distance in distances}
    for piece in facts.pieces:
        if window is not None and held + len(piece) + spare > room:
            context.shift(0, SINKS, discard := _discard(room, SINKS))
            held -= discard
        context.decode(piece, range(held, held + len(piece)), [0] * len(piece), [False] * len(piece))
        held += len(piece)
        read += len(piece)
        ends.append(read)
        if read < max(distances) + len(piece):
            continue
        for distance in distances:
            about = max(index for index, end in enumerate(ends) if read - end >= distance)
            right[distance].append(_knows(context, facts.questions[about], facts.answers[about], held))
            context.keep(0, held)
        if len(right[distances[0]]) == questions:
            break
    context.keep(0, 0)
    return {distance: float(np.mean(found)) for distance, found in right.items()}


def _knows(context: Context, question: Sequence[int], answer: Sequence[int], held: int) -> bool:
    """Whether the model finds each token of the answer the most likely one: greedy decoding, in one go."""
    tokens = [*question, *answer[:-1]]
    wanted = [index >= len(question) - 1 for index in range(len(tokens))]
    logits = context.decode(tokens, range(held, held + len(tokens)), [0] * len(tokens), wanted)
    return bool((logits.argmax(axis=1) == np.array(answer)).all())


def text() -> str:
    """Written for this project and published nowhere else, so that the model reads it rather than recites it."""
    import gateway.engine

    return (Path(gateway.engine.__file__).parent / "data" / "passages.txt").read_text(encoding="utf-8")

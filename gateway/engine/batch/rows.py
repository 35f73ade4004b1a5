"""One choice of one answer in progress: its place in the context, its sampler, and what of its text may be sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gateway.engine.batch.job import Job
from gateway.engine.batch.model import Model
from gateway.engine.batch.slots import Slot
from gateway.engine.batch.text import Held
from gateway.engine.sampling.confidence import confidence, logprobs
from gateway.engine.sampling.sampler import Sampler

LOOP_TOKENS = 192
LOOP_PERIOD = 16
"""So many tokens of the same few, over and over, will not stop by themselves: small models do that."""

Sure = tuple[float, float, float]
"""`Figures` as they travel: a frame takes no named tuples."""


class Step(NamedTuple):
    """What one step adds to one choice, as it stands in a frame."""

    request: int
    choice: int
    delta: Mapping[str, Any]
    finish: str | None
    logprobs: list[Any] | None
    confidence: list[Sure]


class Row:
    """Made when its prompt's turn comes; `close` it: the sampler lives in C."""

    def __init__(self, model: Model, job: Job, choice: int, slot: Slot, n_context: int) -> None:
        self._model = model
        self.job = job
        self.choice = choice
        self.slot = slot
        self.todo: Sequence[int] = job.prompt
        """Tokens not computed yet: what is left of the prompt, later the one token chosen last."""
        self.made = 0
        self.began = 0.0
        """When its first token was chosen, by the scheduler's clock."""
        self._piece: Callable[[int], bytes] = model.piece
        self._held = Held(job.ask.stop)
        self._recent: deque[int] = deque(maxlen=LOOP_TOKENS)
        self._confidence: list[Sure] = []
        self._parser = None
        if job.syntax is not None and job.ask.tools is not None:
            self._parser = job.syntax.parser(job.ask.tools)
            self._piece = _with_markers(model, job.syntax.markers)
        self._sampler = Sampler(model, job.ask, seed=job.seed + choice, grammar=job.grammar, n_context=n_context)

    @property
    def streams(self) -> bool:
        """Whether its prompt is computed and it goes on token by token."""
        return self.made > 0

    def choose(self, logits: NDArray[np.float32], *, last: bool) -> list[Step]:
        """Choose the next token by these logits; the steps to send, the one with a finish being the last.

        `last` says that the context has no room for another.
        """
        ask, model = self.job.ask, self._model
        token = self._sampler.next(logits)
        self.made += 1
        self.todo = (token,)
        sure = confidence(logits, token)
        self._confidence.append((sure.logprob, sure.entropy, sure.margin))
        if model.is_end(token):
            return self._end("stop")
        entry = logprobs(model, logits, token, ask.top_logprobs, sure) if ask.logprobs else None
        text, entries = self._held.add(self._piece(token), entry)
        deltas = self._deltas(text)
        if self._held.stopped or (self._parser is not None and self._parser.done):
            return self._end("stop", deltas, entries)
        self._recent.append(token)
        if last or self.made >= self.job.limit or loops(self._recent):
            return self._end("length", deltas, entries)
        return self._steps(deltas, entries, None)

    def _deltas(self, text: str) -> list[Mapping[str, Any]]:
        if self._parser is None:
            return [{"content": text}] if text else []
        return list(self._parser.feed(text)) if text and not self._parser.done else []

    def _end(self, finish: str, deltas: Sequence[Mapping[str, Any]] = (), entries: Sequence[Any] = ()) -> list[Step]:
        rest, more = ("", []) if self._held.stopped else self._held.rest()
        deltas = [*deltas, *self._deltas(rest)]
        if self._parser is not None:
            deltas += self._parser.end()
            if self._parser.called and finish == "stop":
                finish = "tool_calls"
        return self._steps(deltas, [*entries, *more], finish)

    def _steps(self, deltas: Sequence[Mapping[str, Any]], entries: Sequence[Any], finish: str | None) -> list[Step]:
        if not deltas and not entries and finish is None:
            return []
        wants = self.job.ask.logprobs
        sure, self._confidence = self._confidence, []
        number, choice = self.job.number, self.choice
        if len(deltas) <= 1:
            delta = deltas[0] if deltas else {}
            return [Step(number, choice, delta, finish, list(entries) if wants else None, sure)]
        first = Step(number, choice, deltas[0], None, list(entries) if wants else None, sure)
        middle = [Step(number, choice, delta, None, [] if wants else None, []) for delta in deltas[1:-1]]
        return [first, *middle, Step(number, choice, deltas[-1], finish, [] if wants else None, [])]

    def close(self) -> None:
        self._sampler.close()


def loops(recent: deque[int]) -> bool:
    """Whether the last LOOP_TOKENS tokens are one short run, repeated."""
    if len(recent) < LOOP_TOKENS or recent[-1] not in islice(recent, LOOP_TOKENS - LOOP_PERIOD - 1, LOOP_TOKENS - 1):
        return False
    tokens = list(recent)
    return any(tokens[period:] == tokens[:-period] for period in range(1, LOOP_PERIOD + 1))


def _with_markers(model: Model, markers: Sequence[str]) -> Callable[[int], bytes]:
    """Pieces with the tokens shown that open and close a tool call, though they are control tokens."""
    shown = {
        found[0]: model.piece(found[0], special=True) for marker in markers if len(found := model.tokens(marker)) == 1
    }
    return lambda token: shown.get(token) or model.piece(token)

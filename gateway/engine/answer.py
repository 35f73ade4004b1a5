"""One choice of an answer, token by token: text that may be sent, its log-probabilities, and a true finish reason."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import islice
from typing import Any, NamedTuple

from gateway.engine.ask import Ask
from gateway.engine.llama import Llama
from gateway.engine.sampling import Sampler, logprobs
from gateway.engine.text import Held


class Step(NamedTuple):
    text: str
    logprobs: list[Any]
    finish: str | None
    tokens: int
    """Tokens made so far, those that became no text included."""


LOOP_TOKENS = 192
LOOP_PERIOD = 16
"""So many tokens of the same few, over and over, will not stop by themselves: small models do that."""


def answer(
    llama: Llama, ask: Ask, prompt: Sequence[int], *, seed: int, grammar: str | None, default_limit: int
) -> Iterator[Step]:
    """Continue `prompt`, which `llama` has taken. Yields only steps that say something; the last one has a finish.

    `default_limit` is the most tokens an answer gets whose client set no limit.
    """
    held = Held(ask.stop)
    most = min(ask.max_tokens or default_limit, llama.n_context - len(prompt))
    made = 0
    recent: deque[int] = deque(maxlen=LOOP_TOKENS)
    with closing(Sampler(llama, ask, seed=seed, grammar=grammar)) as sampler:
        while True:
            token = sampler.next()
            made += 1
            if llama.is_end(token):
                yield Step(*held.rest(), "stop", made)
                return
            entry = logprobs(llama, token, ask.top_logprobs) if ask.logprobs else None
            text, entries = held.add(llama.piece(token), entry)
            if held.stopped:
                yield Step(text, entries, "stop", made)
                return
            recent.append(token)
            if made >= most or loops(recent):
                rest, more = held.rest()
                yield Step(text + rest, entries + more, "length", made)
                return
            if text or entries:
                yield Step(text, entries, None, made)
            llama.take([token])


def loops(recent: deque[int]) -> bool:
    """Whether the last LOOP_TOKENS tokens are one short run, repeated."""
    if len(recent) < LOOP_TOKENS or recent[-1] not in islice(recent, LOOP_TOKENS - LOOP_PERIOD - 1, LOOP_TOKENS - 1):
        return False
    tokens = list(recent)
    return any(tokens[period:] == tokens[:-period] for period in range(1, LOOP_PERIOD + 1))

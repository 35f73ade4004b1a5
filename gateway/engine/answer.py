"""One choice of an answer, token by token: text that may be sent, its log-probabilities, and a true finish reason."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
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


def answer(llama: Llama, ask: Ask, prompt: Sequence[int], *, seed: int, grammar: str | None) -> Iterator[Step]:
    """Continue `prompt`, which `llama` has taken. Yields only steps that say something; the last one has a finish."""
    held = Held(ask.stop)
    most = min(ask.max_tokens or llama.n_context, llama.n_context - len(prompt))
    made = 0
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
            if made >= most:
                rest, more = held.rest()
                yield Step(text + rest, entries + more, "length", made)
                return
            if text or entries:
                yield Step(text, entries, None, made)
            llama.take([token])

"""Choosing the next token of one choice of one answer: bias and penalties, a draw, and a grammar's consent."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from numpy.typing import NDArray

from gateway.core.errors import BadRequest
from gateway.engine.ask import Ask
from gateway.engine.batch.model import Model
from gateway.engine.sampling.choice import Choice, Row
from gateway.engine.sampling.grammar import Grammar, GrammarState


class Sampler:
    """Chooses token after token. Close it: a grammar's state lives in C."""

    def __init__(self, model: Model, ask: Ask, *, seed: int, grammar: Grammar | None, n_context: int) -> None:
        """`n_context` is how many tokens penalties look back. Raises BadRequest."""
        self._choice = Choice(ask, seed)
        self._bias = _Bias(model, ask.logit_bias) if ask.logit_bias else None
        penal = ask.presence_penalty or ask.frequency_penalty or ask.repeat_penalty != 1.0
        self._penalties = _Penalties(model, ask, n_context) if penal else None
        self._state: GrammarState | None = grammar.begin() if grammar is not None else None

    def next(self, logits: Row) -> int:
        """The token to go on with; the row is unchanged afterwards. Raises Unsupported where a grammar leaves none."""
        changes = [change for change in (self._bias, self._penalties) if change is not None]
        before = [(change.ids, change.apply(logits)) for change in changes]
        try:
            token = self._choice.of(logits)
            if self._state is not None:
                token = self._state.choose(logits, token, self._choice)
        finally:
            for ids, values in reversed(before):
                logits[ids] = values
        if self._penalties is not None:
            self._penalties.accept(token)
        return token

    def close(self) -> None:
        if self._state is not None:
            self._state.close()
            self._state = None


class _Bias:
    def __init__(self, model: Model, biases: tuple[tuple[int, float], ...]) -> None:
        if any(token >= model.n_vocab for token, _ in biases):
            raise BadRequest(f"logit_bias names a token beyond this model's {model.n_vocab}", param="logit_bias")
        self.ids = np.array([token for token, _ in biases], dtype=np.intp)
        # OpenAI's -100 is a ban, and its 100 a must.
        self._values = np.array([-math.inf if bias <= -100 else bias for _, bias in biases], dtype=np.float32)
        if np.isneginf(self._values).sum() >= model.n_vocab:
            raise BadRequest("logit_bias bans every token", param="logit_bias")

    def apply(self, row: Row) -> Row:
        """Change the row; what stood there before."""
        before = row[self.ids]
        row[self.ids] = before + self._values
        return before


class _Penalties:
    """llama.cpp's penalties, over what the answer has said so far."""

    def __init__(self, model: Model, ask: Ask, n_context: int) -> None:
        self._repeat = np.float32(ask.repeat_penalty)
        self._frequency = np.float32(ask.frequency_penalty)
        self._presence = np.float32(ask.presence_penalty)
        self._counts = np.zeros(model.n_vocab, dtype=np.float32)
        self._recent: deque[int] = deque(maxlen=n_context)
        self.ids: NDArray[np.intp] = np.empty(0, dtype=np.intp)

    def apply(self, row: Row) -> Row:
        """Change the row; what stood there before."""
        before = row[self.ids]
        counts = self._counts[self.ids]
        # Dividing a negative logit would reward the repetition.
        after = np.where(before <= 0, before * self._repeat, before / self._repeat)
        row[self.ids] = after - counts * self._frequency - self._presence
        return before

    def accept(self, token: int) -> None:
        if len(self._recent) == self._recent.maxlen:
            self._counts[self._recent[0]] -= 1
            if not self._counts[self._recent[0]]:
                self.ids = self.ids[self.ids != self._recent[0]]
        self._recent.append(token)
        if not self._counts[token]:
            self.ids = np.append(self.ids, token)
        self._counts[token] += 1

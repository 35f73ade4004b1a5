"""Choosing the next token: llama.cpp's samplers in one chain, and a grammar that is asked about one token first."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as lib
from numpy.typing import NDArray

from gateway.core.errors import BadRequest, Unsupported
from gateway.engine.ask import Ask
from gateway.engine.llama import Llama

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])


class Sampler:
    """Chooses tokens for one choice of one answer. Close it: the samplers live in C."""

    def __init__(self, llama: Llama, ask: Ask, *, seed: int, grammar: str | None) -> None:
        self._llama = llama
        self._grammar: Any = None
        self._chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
        try:
            for sampler in _samplers(llama, ask, seed):
                lib.llama_sampler_chain_add(self._chain, sampler)
            if grammar is not None:
                self._grammar = _grammar(llama, grammar)
        except BaseException:
            self.close()
            raise

    def next(self) -> int:
        if self._grammar is None:
            return int(lib.llama_sampler_sample(self._chain, self._llama.context, -1))
        # A grammar over the whole vocabulary costs 3 to 17 ms, over one token 2 µs: most first choices are legal.
        candidates = self._candidates()
        token = self._choose(candidates)
        if not self._legal(token):
            candidates = self._candidates()
            lib.llama_sampler_apply(self._grammar, ctypes.byref(_array(candidates)))
            if not np.isfinite(candidates["logit"]).any():
                raise Unsupported("the schema leaves no way to go on", param="response_format")
            # Refused tokens are taken out: a bias on one of them must not bring it back.
            token = self._choose(candidates[np.isfinite(candidates["logit"])])
        lib.llama_sampler_accept(self._grammar, token)
        lib.llama_sampler_accept(self._chain, token)
        return token

    def close(self) -> None:
        for sampler in (self._chain, self._grammar):
            if sampler:
                lib.llama_sampler_free(sampler)
        self._chain = self._grammar = None

    def _candidates(self) -> NDArray[Any]:
        candidates = np.zeros(self._llama.n_vocab, dtype=_CANDIDATE)
        candidates["id"] = np.arange(self._llama.n_vocab, dtype=np.int32)
        candidates["logit"] = self._llama.logits()
        return candidates

    def _choose(self, candidates: NDArray[Any]) -> int:
        array = _array(candidates)
        lib.llama_sampler_apply(self._chain, ctypes.byref(array))
        return int(array.data[array.selected].id)

    def _legal(self, token: int) -> bool:
        one = np.zeros(1, dtype=_CANDIDATE)
        one["id"] = token
        lib.llama_sampler_apply(self._grammar, ctypes.byref(_array(one)))
        return bool(np.isfinite(one["logit"][0]))


def _array(candidates: NDArray[Any]) -> Any:
    data = candidates.ctypes.data_as(ctypes.POINTER(lib.llama_token_data))
    return lib.llama_token_data_array(data=data, size=len(candidates), selected=-1, sorted=False)


def _samplers(llama: Llama, ask: Ask, seed: int) -> list[Any]:
    chain = []
    if ask.logit_bias:
        chain.append(_bias(llama, ask.logit_bias))
    if ask.presence_penalty or ask.frequency_penalty or ask.repeat_penalty != 1.0:
        chain.append(
            lib.llama_sampler_init_penalties(
                llama.n_vocab, llama.n_context, ask.repeat_penalty, ask.frequency_penalty, ask.presence_penalty
            )
        )
    if ask.temperature <= 0:
        return [*chain, lib.llama_sampler_init_greedy()]
    return [
        *chain,
        lib.llama_sampler_init_top_k(ask.top_k),
        lib.llama_sampler_init_top_p(ask.top_p, 1),
        lib.llama_sampler_init_min_p(ask.min_p, 1),
        lib.llama_sampler_init_temp(ask.temperature),
        lib.llama_sampler_init_dist(seed % 0xFFFFFFFF),  # the largest number itself means "take any seed"
    ]


def _bias(llama: Llama, biases: tuple[tuple[int, float], ...]) -> Any:
    if any(token >= llama.n_vocab for token, _ in biases):
        raise BadRequest(f"logit_bias names a token beyond this model's {llama.n_vocab}", param="logit_bias")
    array = (lib.llama_logit_bias * len(biases))()
    for entry, (token, bias) in zip(array, biases, strict=True):
        # OpenAI's -100 is a ban, and its 100 a must.
        entry.token, entry.bias = token, -math.inf if bias <= -100 else bias
    return lib.llama_sampler_init_logit_bias(llama.n_vocab, len(biases), array)


def _grammar(llama: Llama, grammar: str) -> Any:
    sampler = lib.llama_sampler_init_grammar(llama.vocab, grammar.encode(), b"root")
    if not sampler:
        raise Unsupported("the local model cannot hold to this response_format", param="response_format")
    return sampler


def logprobs(llama: Llama, token: int, top: int) -> dict[str, Any]:
    """OpenAI's entry for a chosen token, from the model's own distribution (before temperature and bias)."""
    logits = llama.logits()
    most = float(logits.max())
    total = most + math.log(float(np.exp(logits - most).sum()))
    best: list[int] = []
    if top:
        # Sorting the whole vocabulary for five tokens takes ten times the rest of the step.
        near = np.flatnonzero(logits > most - 12)
        near = near if len(near) >= top else np.argpartition(logits, -top)[-top:]
        best = [int(index) for index in near[np.argsort(logits[near])[::-1][:top]]]
    return _entry(llama, token, float(logits[token]) - total) | {
        "top_logprobs": [_entry(llama, one, float(logits[one]) - total) for one in best]
    }


def _entry(llama: Llama, token: int, logprob: float) -> dict[str, Any]:
    piece = llama.piece(token)
    text = piece.decode("utf-8", "replace") if piece else llama.token_text(token)
    # OpenAI's own floor for "so unlikely that nobody counts", and a number JSON can hold.
    return {"token": text, "logprob": max(logprob, -9999.0), "bytes": list(piece)}

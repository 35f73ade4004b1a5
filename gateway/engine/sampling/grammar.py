"""A grammar that answers must keep to: compiled once per request, with a state of its own for each choice.

llama.cpp ends the whole process when a token is accepted that its grammar does not allow, and its own lazy grammars
do that as soon as a trigger ends in the middle of a token. So each token is checked before it is accepted, and the
waiting for a trigger is done here.
"""

from __future__ import annotations

import ctypes
import math
import re
import time
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from llama_cpp import llama_cpp as lib
from numpy.typing import NDArray

from gateway.core.errors import Unsupported
from gateway.engine.batch.model import Model
from gateway.engine.sampling.choice import Choice, Ids, Row
from gateway.engine.schemas.gbnf import to_grammar as to_grammar

_CANDIDATE = np.dtype([("id", np.int32), ("logit", np.float32), ("p", np.float32)])

_NEAR = 6.0
"""How far below the maximum legal tokens are looked for first; most refused tokens have a legal one as near."""

_LEAST = np.finfo(np.float32).min
"""Every logit but minus infinity, which is a ban, is at least this."""

_SLOW_S = 0.003
"""Checking one token takes microseconds, unless the schema can be read in thousands of ways at once. Each further
token may double their number, so this must be noticed early."""

_WINDOW = 256
"""A trigger is looked for in so many bytes at the end of the answer."""


class Grammar:
    """One request's grammar. Close it after the states that came of it."""

    def __init__(
        self,
        model: Model,
        gbnf: str,
        *,
        param: str = "response_format",
        lazy: Sequence[str] = (),
        markers: Collection[str] = (),
    ) -> None:
        """`lazy`: the answer is free until its text matches one of these patterns; what the pattern's first group (or
        the whole of it) matched is the beginning of what the grammar describes. `markers` are the control tokens that
        the grammar may use; all others would become no text. Raises Unsupported.
        """
        self.model = model
        self.param = param
        self.triggers = [re.compile(pattern.encode()) for pattern in lazy]
        found = (model.tokens(marker) for marker in markers)
        self.markers = frozenset(tokens[0] for tokens in found if len(tokens) == 1)
        # An empty grammar would compile and let everything through.
        self._compiled = lib.llama_sampler_init_grammar(model.vocab, gbnf.encode(), b"root") if gbnf else None
        if not self._compiled:
            raise Unsupported(f"the local model cannot hold to this {param}", param=param)

    def begin(self) -> GrammarState:
        return GrammarState(self)

    def clone(self) -> Any:
        return lib.llama_sampler_clone(self._compiled)

    def close(self) -> None:
        if self._compiled:
            lib.llama_sampler_free(self._compiled)
            self._compiled = None


class GrammarState:
    """How far one choice has come in the grammar."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._rules = None if grammar.triggers else _Rules(grammar)
        self._said = bytearray()
        self._tokens: list[int] = []

    def choose(self, row: Row, token: int, choice: Choice) -> int:
        """`token` if it is legal, else another one, drawn from the legal ones. It is taken as said."""
        if self._rules is not None:
            if not self._rules.allow(token):
                legal = self._rules.legal(row, choice)
                token = int(legal[choice.of(row[legal])])
            self._rules.accept(token)
            return token
        refused: list[int] = []
        while not self._hear(token):
            refused.append(token)
            rest = np.flatnonzero(row >= _LEAST)
            rest = rest[~np.isin(rest, refused)]
            if len(rest) == 0 or len(refused) > len(self._grammar.triggers) + 100:
                raise Unsupported("the grammar leaves no way to go on", param=self._grammar.param)
            token = int(rest[choice.of(row[rest])])
        return token

    def close(self) -> None:
        if self._rules is not None:
            self._rules.close()
            self._rules = None

    def _hear(self, token: int) -> bool:
        """Take a token that is said before the trigger. False where it would set it off and break the rules."""
        said = self._said + _shown(self._grammar, token)
        start = self._triggered(said)
        if start is not None:
            rules = _Rules(self._grammar)
            if not rules.follow(self._spelling(bytes(said[start:]), [*self._tokens, token])):
                rules.close()
                return False
            self._rules = rules
        self._said = said
        self._tokens.append(token)
        return True

    def _triggered(self, said: bytearray) -> int | None:
        for pattern in self._grammar.triggers:
            if match := pattern.search(said, max(0, len(said) - _WINDOW)):
                return next((match.start(i + 1) for i, part in enumerate(match.groups()) if part), match.start())
        return None

    def _spelling(self, text: bytes, tokens: Sequence[int]) -> list[int]:
        """Tokens that write just this end of what was said; none where it cannot be written alone."""
        size = 0
        for count in range(1, len(tokens) + 1):
            size += len(_shown(self._grammar, tokens[-count]))
            if size >= len(text):
                break
        if size == len(text):
            return [token for token in tokens[-count:] if _shown(self._grammar, token)]
        # The trigger begins inside a token.
        model = self._grammar.model
        spelt = model.tokens(text.decode("utf-8", "replace"))
        return spelt if b"".join(model.piece(one, special=True) for one in spelt) == text else []


class _Rules:
    """llama.cpp's state of a grammar that is in force."""

    def __init__(self, grammar: Grammar) -> None:
        self._grammar = grammar
        self._state = grammar.clone()
        self._one = np.zeros(1, dtype=_CANDIDATE)
        self._alone = _array(self._one)

    def allow(self, token: int) -> bool:
        if not _speaks(self._grammar, token):
            return False
        one = self._one[0]
        one["id"], one["logit"] = token, 0.0
        began = time.thread_time()
        lib.llama_sampler_apply(self._state, ctypes.byref(self._alone))
        if time.thread_time() - began > _SLOW_S:
            raise Unsupported(
                "the schema can be read in too many ways at once: let alternatives differ at their beginning",
                param=self._grammar.param,
            )
        return bool(one["logit"] == 0.0)

    def accept(self, token: int) -> None:
        """Only a token that `allow` or `legal` let through: any other ends the process."""
        lib.llama_sampler_accept(self._state, token)

    def follow(self, tokens: Sequence[int]) -> bool:
        """Accept all of these; False, and of no more use, where one of them is not legal."""
        for token in tokens:
            if not self.allow(token):
                return False
            self.accept(token)
        return bool(tokens)

    def legal(self, row: Row, choice: Choice) -> Ids:
        """The legal tokens that can be drawn. Asking for the whole vocabulary takes 3 to 17 ms, so the likely ones
        are asked for first, and then those that could still be drawn beside the best legal one.
        """
        most = float(row.max())
        ceiling, floor, least = math.inf, most - _NEAR, float(_LEAST)
        found: Ids = np.empty(0, dtype=np.intp)
        while True:
            band = np.flatnonzero((row >= np.float32(floor)) & (row < ceiling))
            found = np.concatenate([found, self._mask(band)])
            if len(found):
                wanted = float(row[found].max()) - choice.reach
                if wanted >= floor or len(found) >= choice.enough:
                    return found
            elif floor <= least:
                raise Unsupported("the schema leaves no way to go on", param=self._grammar.param)
            else:
                distance = 2 * (most - floor)
                wanted = most - distance if distance < 100 else least
            ceiling, floor = floor, wanted

    def _mask(self, ids: Ids) -> Ids:
        candidates = np.zeros(len(ids), dtype=_CANDIDATE)
        candidates["id"] = ids
        lib.llama_sampler_apply(self._state, ctypes.byref(_array(candidates)))
        legal: Ids = ids[candidates["logit"] == 0.0]
        speaks: NDArray[np.bool_] = np.fromiter((_speaks(self._grammar, token) for token in legal.tolist()), np.bool_)
        return legal[speaks]

    def close(self) -> None:
        if self._state:
            lib.llama_sampler_free(self._state)
            self._state = None


def _array(candidates: NDArray[Any]) -> Any:
    data = candidates.ctypes.data_as(ctypes.POINTER(lib.llama_token_data))
    return lib.llama_token_data_array(data=data, size=len(candidates), selected=-1, sorted=False)


def _speaks(grammar: Grammar, token: int) -> bool:
    """Whether the token becomes text or ends the answer. llama.cpp's grammars take a control token for its name."""
    model = grammar.model
    return bool(model.piece(token)) or model.is_end(token) or token in grammar.markers


def _shown(grammar: Grammar, token: int) -> bytes:
    return grammar.model.piece(token, special=token in grammar.markers)

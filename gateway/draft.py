"""Lets the local model begin an answer and holds it back, until it is certain whether the answer will be made here."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from functools import partial

import anyio

from gateway.core.beginning import Beginning, facts, home
from gateway.core.parts import Asked, Parts
from gateway.core.trace import Trace, ms_since
from gateway.core.types import Decision, Json, Pieces


def prepared(parts: Parts, asked: Asked) -> Draft | None:
    """An answer of the local model's, not begun yet, where its first tokens may change what was decided."""
    cascade, local = parts.cascade, parts.local
    if cascade is None or local is None or (here := home(cascade, parts.traffic, asked)) is None:
        return None
    begin = partial(local.stream, asked.request, here)
    return Draft(here, begin, most_tokens=cascade.most_tokens, most_s=cascade.most_s)


class Draft:
    """One answer that may be thrown away. `hold` it, then give it with `stream`; `aclose` it, come what may.

    What is held is bounded in tokens and in time, also where the engine stands still in the middle of a word: its next
    piece is then waited for beside the hold, and comes first once the answer is given.
    """

    def __init__(
        self, home: Decision, begin: Callable[[], AsyncGenerator[Pieces, None]], *, most_tokens: int, most_s: float
    ) -> None:
        """`begin` asks the local model under the decision `home`; it is called when the hold begins."""
        self.home = home
        self.beginning = Beginning(most_tokens)
        self.ms = 0.0
        """How long it was held."""
        self.error: Exception | None = None
        """What ended it before it was whole."""
        self.closed = False
        self._begin = begin
        self._most_s = most_s
        self._answer: AsyncGenerator[Pieces, None] | None = None
        self._held: list[Pieces] = []
        self._next: asyncio.Task[Pieces | None] | None = None
        self._over = False

    @property
    def begun(self) -> bool:
        return self._answer is not None

    @property
    def facts(self) -> dict[str, Json]:
        """What it showed, for the record of what was decided on it."""
        return facts(self.beginning, self.ms, self.error)

    async def hold(self, patience_s: float | None) -> None:
        """Read until there is enough of it: tokens, seconds since the first one, its end, or the engine's failure.

        `patience_s` is how long the first token is waited for; None = as long as the engine itself waits.
        """
        began = time.perf_counter()
        self._answer = self._begin()
        until = None if patience_s is None else began + patience_s
        while not (self._over or self.beginning.enough):
            if (pieces := await self._within(until)) is None:
                break
            self._held.append(pieces)
            first = self.beginning.tokens == 0
            self.beginning.add(pieces)
            if first and self.beginning.tokens:
                until = time.perf_counter() + self._most_s
        self.ms = ms_since(began)

    async def stream(self) -> AsyncGenerator[Pieces, None]:
        """The answer from its first word on, what was held before what comes.

        One that failed while it was held is no half answer: nobody has seen any of it.
        """
        try:
            for pieces in () if self.error else self._held:
                yield pieces
            if self._next is not None and (late := await self._within(None)) is not None:
                yield late
            if self.error is not None:
                raise self.error
            if self._answer is not None and not self._over:
                async for pieces in self._answer:
                    yield pieces
        finally:
            await self.aclose()

    async def leave(self, trace: Trace) -> None:
        """Another answer is given: the model is free at once, and what it said is noted as lost."""
        await self.aclose()
        trace.draft, trace.draft_tokens = "left", self.beginning.tokens

    async def aclose(self) -> None:
        """Stop the model. The slot it was using is free afterwards."""
        if self.closed:
            return
        self.closed = True
        with anyio.CancelScope(shield=True):  # a client that left must not leave the model at work
            if self._next is not None:
                self._next.cancel()
                await asyncio.wait({self._next})
            if self._answer is not None:
                await self._answer.aclose()

    async def _within(self, until: float | None) -> Pieces | None:
        """The next piece; None where it is over, or not there in time, which leaves it to be waited for."""
        if self._next is None:
            # A cancelled read would end the answer, so the read is a task of its own that outlives the wait for it.
            self._next = asyncio.get_running_loop().create_task(self._read())
        timeout = None if until is None else max(0.0, until - time.perf_counter())
        done, _ = await asyncio.wait({self._next}, timeout=timeout)
        if not done:
            return None
        pieces, self._next = self._next.result(), None
        self._over = pieces is None
        return pieces

    async def _read(self) -> Pieces | None:
        assert self._answer is not None
        try:
            return await anext(self._answer, None)
        except Exception as error:  # noqa: BLE001 - it is raised where the answer is given, if it is given
            self.error = error
            return None

"""Identical requests in flight: one asks the backend, the others wait for its stored answer.

The pipeline looks into the cache, takes a turn on a miss, and looks again if it had to wait:

    async with flight.turn(key) as turn:
        chunks = await cache.get(key, tenant) if turn.waited else None
        if chunks is None:
            chunks = await ask_the_backend()
            await cache.put(key, tenant, chunks, local=local)
        turn.done()

There are five ways into the block:

1. Nobody is in flight: `leads`. Ask the backend.
2. Somebody was, and called `done()`: `waited`. All who waited go on at once; the cache has the answer, or never will
   (too large, not cacheable), and then each asks for itself.
3. Somebody was, and left without `done()` (it failed, or its client went away): `waited` and `leads`. One takes over,
   the others wait on.
4. The wait took longer than `wait_s`: `waited`. Look once more, then ask for oneself.
5. Too many keys or too many waiting: neither. Ask for oneself.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from types import TracebackType

import anyio


class SingleFlight:
    def __init__(self, *, wait_s: float = 30.0, max_keys: int = 4096, max_waiting: int = 256) -> None:
        self._wait_s = wait_s
        self._max_keys = max_keys
        self._max_waiting = max_waiting
        self._flights: dict[str, OrderedDict[Turn, None]] = {}
        """Keys in flight and who waits for them, first come first. The one who leads is not in the queue."""

    def turn(self, key: str) -> Turn:
        return Turn(self, key)

    def __len__(self) -> int:
        """Keys in flight."""
        return len(self._flights)

    async def enter(self, turn: Turn) -> None:
        queue = self._flights.get(turn.key)
        if queue is None:
            if len(self._flights) < self._max_keys:
                self._flights[turn.key] = OrderedDict()
                turn.leads = True
            return
        if len(queue) >= self._max_waiting:
            return
        queue[turn] = None
        turn.waited = True
        try:
            with anyio.move_on_after(self._wait_s):
                await turn.called.wait()
        except BaseException:
            # Cancelled, perhaps in the very moment in which the lead was handed over: then it goes to the next.
            self.leave(turn)
            raise
        finally:
            queue.pop(turn, None)

    def land(self, turn: Turn) -> None:
        """The leader has its answer stored, or knows that it never will be: everybody goes on."""
        if turn.leads:
            turn.leads = False
            for waiting in self._flights.pop(turn.key):
                waiting.called.set()

    def leave(self, turn: Turn) -> None:
        """The leader goes without an answer: the first in the queue takes over."""
        if not turn.leads:
            return
        turn.leads = False
        queue = self._flights[turn.key]
        if not queue:
            del self._flights[turn.key]
            return
        heir, _ = queue.popitem(last=False)
        heir.leads = True
        heir.called.set()


class Turn:
    """One request's place in a flight. Leaving never awaits, so that no cancellation can lose those who wait."""

    __slots__ = ("_flight", "called", "key", "leads", "waited")

    def __init__(self, flight: SingleFlight, key: str) -> None:
        self._flight = flight
        self.key = key
        self.leads = False
        """The others wait for this one."""
        self.waited = False
        """Time has passed since the caller last looked into the cache."""
        self.called = asyncio.Event()

    def done(self) -> None:
        """Call as soon as the answer is stored, or is known not to be: the others go on."""
        self._flight.land(self)

    async def __aenter__(self) -> Turn:
        await self._flight.enter(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flight.leave(self)

"""Whose turn it is with a model that answers a few requests at once: the tenant that has least of it goes first.

Among tenants that have equally much they rotate, and each is served in order of arrival.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque

import anyio

from gateway.core.errors import QueueFull

MOST_RETRY_S = 60


class Turn:
    """One request's place in the queue, and then its turn. Leave it with `end`, come what may; twice does no harm."""

    def __init__(self, turns: Turns, tenant: str, places: int) -> None:
        self._turns = turns
        self._granted = anyio.Event()
        self.tenant = tenant
        self.places = places
        """How many of the model's places it takes: one per choice."""
        self.began = 0.0
        self.ended = False

    @property
    def granted(self) -> bool:
        return self._granted.is_set()

    async def wait(self) -> None:
        await self._granted.wait()

    def grant(self) -> None:
        self.began = time.monotonic()
        self._granted.set()

    def end(self) -> None:
        """The model is done with it, or it never began."""
        if not self.ended:
            self.ended = True
            self._turns.leave(self)


class Turns:
    def __init__(self, most: int, *, share: int, places: int = 1) -> None:
        """At most `most` requests wait, and at most `share` of one tenant; `places` are served at once."""
        self._most = most
        self._share = share
        self._places = places
        self._held: Counter[str] = Counter()
        """Places by tenant."""
        self._turns = 0
        self._seconds = 2.0
        """How long a turn takes, as it went lately."""
        self._queues: dict[str, deque[Turn]] = {}
        """By tenant, in the order in which tenants come next. None of them is empty."""

    @property
    def taken(self) -> int:
        """Turns that are held or waited for."""
        return self._turns + self._waiting

    @property
    def _waiting(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    @property
    def _free(self) -> int:
        return self._places - self._held.total()

    def resize(self, places: int) -> None:
        """The model serves so many at once from now on; those that are served already stay."""
        self._places = places
        self._grant()

    def enter(self, tenant: str, places: int = 1) -> Turn:
        """A place in the queue. Raises QueueFull."""
        turn = Turn(self, tenant, min(places, self._places))
        queue = self._queues.get(tenant, deque())
        goes_on = not self._queues and self._fits(turn)
        if not goes_on and self._waiting >= self._most:
            raise QueueFull(f"{self._most} requests already wait for the local model", retry_after_s=self.retry_s)
        if not goes_on and len(queue) >= self._share:
            raise QueueFull(
                f"{self._share} requests of this tenant already wait for the local model", retry_after_s=self.retry_s
            )
        queue.append(turn)
        self._queues[tenant] = queue
        self._grant()
        return turn

    def leave(self, turn: Turn) -> None:
        """Called by the turn that ends."""
        if turn.granted:
            self._turns -= 1
            self._held[turn.tenant] -= turn.places
            self._held += Counter()  # forget tenants that hold nothing
            self._seconds += 0.2 * (time.monotonic() - turn.began - self._seconds)
            if turn.tenant in self._queues:
                self._queues[turn.tenant] = self._queues.pop(turn.tenant)  # behind all the others
        else:
            queue = self._queues[turn.tenant]
            queue.remove(turn)
            if not queue:
                del self._queues[turn.tenant]
        self._grant()

    def _grant(self) -> None:
        while self._queues:
            # min takes the first of equals, so those that hold equally much rotate.
            tenant = min(self._queues, key=lambda name: self._held[name])
            queue = self._queues.pop(tenant)
            if not self._fits(queue[0]):
                # Nobody else goes before it: a request for many places would wait for ever.
                self._queues = {tenant: queue, **self._queues}
                return
            turn = queue.popleft()
            if queue:
                self._queues[tenant] = queue  # behind all the others
            self._turns += 1
            self._held[tenant] += turn.places
            turn.grant()

    def _fits(self, turn: Turn) -> bool:
        return turn.places <= self._free or not self._turns

    @property
    def retry_s(self) -> float:
        """When a place in the queue should be free."""
        return float(min(MOST_RETRY_S, max(1, math.ceil(self._seconds / self._places))))

"""Whose turn it is with a model that answers one request at a time: tenants in rotation, each in order of arrival."""

from __future__ import annotations

from collections import deque

import anyio

from gateway.core.errors import QueueFull


class Turn:
    """One request's place in the queue, and then its turn. Leave it with `end`, come what may; twice does no harm."""

    def __init__(self, turns: Turns, tenant: str) -> None:
        self._turns = turns
        self._granted = anyio.Event()
        self.tenant = tenant
        self.ended = False

    @property
    def granted(self) -> bool:
        return self._granted.is_set()

    async def wait(self) -> None:
        await self._granted.wait()

    def grant(self) -> None:
        self._granted.set()

    def end(self) -> None:
        """The model is done with it, or it never began."""
        if not self.ended:
            self.ended = True
            self._turns.leave(self)


class Turns:
    """One turn at a time."""

    def __init__(self, most: int, *, share: int) -> None:
        """At most `most` requests wait, and at most `share` of one tenant."""
        self._most = most
        self._share = share
        self._holder: Turn | None = None
        self._queues: dict[str, deque[Turn]] = {}
        """By tenant, in the order in which tenants come next. None of them is empty."""

    @property
    def taken(self) -> int:
        """Turns that are held or waited for."""
        return (self._holder is not None) + self._waiting

    @property
    def _waiting(self) -> int:
        return sum(len(queue) for queue in self._queues.values())

    def enter(self, tenant: str) -> Turn:
        """A place in the queue. Raises QueueFull."""
        turn = Turn(self, tenant)
        if self._holder is None:
            self._take(turn)
            return turn
        if self._waiting >= self._most:
            raise QueueFull(f"{self._most} requests already wait for the local model")
        queue = self._queues.get(tenant, deque())
        if len(queue) >= self._share:
            raise QueueFull(f"{self._share} requests of this tenant already wait for the local model")
        queue.append(turn)
        self._queues[tenant] = queue
        return turn

    def leave(self, turn: Turn) -> None:
        """Called by the turn that ends."""
        if turn is not self._holder:
            queue = self._queues[turn.tenant]
            queue.remove(turn)
            if not queue:
                del self._queues[turn.tenant]
            return
        self._holder = None
        if turn.tenant in self._queues:
            self._queues[turn.tenant] = self._queues.pop(turn.tenant)  # behind all the others
        if self._queues:
            tenant, queue = next(iter(self._queues.items()))
            following = queue.popleft()
            if not queue:
                del self._queues[tenant]
            self._take(following)

    def _take(self, turn: Turn) -> None:
        self._holder = turn
        turn.grant()

"""Waits for a server that is busy or down, where the policy's floor says that a request has the time."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.core.errors import GatewayError, PrivateUnavailable, QueueFull, Unavailable
from gateway.core.trace import Trace

Begun = TypeVar("Begun")

FIRST_PAUSE_S = 0.25
LONGEST_PAUSE_S = 5.0
"""Each pause is twice as long as the one before it, up to this; a server that names a time of its own gets that."""
MOST_WAITING, MOST_OF_ONE = 256, 128
"""Requests of all tenants, and of one, that wait at once: each holds a place among those in flight (512 unless the
settings say otherwise), and who need not wait must find one."""


class Seats:
    """Where those who wait sit. Belongs to the event loop's thread."""

    def __init__(
        self, sleep: Callable[[float], Awaitable[None]], *, most: int = MOST_WAITING, most_of_one: int = MOST_OF_ONE
    ) -> None:
        self._sleep = sleep
        self._most, self._most_of_one = most, most_of_one
        self._taken: Counter[str] = Counter()

    async def sleep(self, tenant: str, pause_s: float) -> None:
        """Raises QueueFull where nobody else may sit down."""
        if self._taken.total() >= self._most or self._taken[tenant] >= self._most_of_one:
            raise QueueFull("too many requests wait for a server of zone private already")
        self._taken[tenant] += 1
        try:
            await self._sleep(pause_s)
        finally:
            self._taken[tenant] -= 1
            self._taken += Counter()  # forgets tenants of whom nobody waits


async def patiently(
    wait_s: float,
    trace: Trace,
    begin: Callable[[], Awaitable[Begun]],
    sleep: Callable[[float], Awaitable[None]],
    clock: Callable[[], float] = time.monotonic,
) -> Begun:
    """`begin`, again and again for `wait_s` seconds while all that it asks turn it away. Raises PrivateUnavailable.

    What may have been read by somebody is not asked a second time: that error is raised as it comes.
    """
    until, pause_s = clock() + wait_s, FIRST_PAUSE_S
    while True:
        trace.away.clear()
        try:
            return await begin()
        except GatewayError as error:
            if wait_s <= 0 or not _turned_away(error, trace):
                raise
            asked_s = min((named for _, named in trace.away if named is not None), default=0.0)
            if (left_s := until - clock()) <= 0:
                detail = f"this request must stay with servers of zone private, and for {wait_s:g} s none was free"
                raise PrivateUnavailable(detail, retry_after_s=max(asked_s, LONGEST_PAUSE_S)) from error
        await sleep(min(max(pause_s, asked_s), left_s))
        pause_s = min(2 * pause_s, LONGEST_PAUSE_S)


def _turned_away(error: GatewayError, trace: Trace) -> bool:
    """By every server that was asked. A record that cannot be written is no matter of theirs."""
    return not isinstance(error, Unavailable) and bool(trace.away) and all(again for again, _ in trace.away)

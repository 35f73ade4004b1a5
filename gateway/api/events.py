"""One stream of events to one client: the status before the first bytes, one writer at a time, no long silence."""

from __future__ import annotations

import anyio

from gateway.api.errors import event
from gateway.api.http import Answer

PING = b": ping\n\n"
_HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    (b"x-accel-buffering", b"no"),
]


class EventStream:
    """Two tasks write here: the one that has the answer, and the one that breaks a silence.

    What either writes is whole events, and it waits for the other one to be done: between the status and the first
    event, or in the middle of a write that a slow client holds up, nothing else comes.
    """

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._silent = True
        self._pinging: anyio.Event | None = None
        self._writing = False

    async def write(self, events: bytes, *, last: bool = False) -> None:
        self._silent = False
        if self._pinging is not None:
            await self._pinging.wait()
        self._writing = True
        if not self._answer.started:
            await self._answer.start(200, _HEADERS)
        await self._answer.body(events, more=not last)
        self._writing = False

    async def fail(self, error: Exception) -> None:
        """A status of its own while none is out, otherwise one error event, no [DONE] and never a second answer."""
        if self._pinging is not None:
            await self._pinging.wait()
        self._writing = True  # and it stays so: nothing may follow
        if not self._answer.started:
            await self._answer.error(error)
        elif not self._answer.done:
            await self._answer.body(event(error))

    async def ping(self) -> None:
        """Send a comment if nothing was written since the last look. Called by whoever counts the seconds.

        The first one may send the status before the first token is there; what fails after that is an error event.
        """
        silent, self._silent = self._silent, True
        if not silent or self._writing or self._answer.done:
            return
        self._pinging = pinging = anyio.Event()
        try:
            if not self._answer.started:
                await self._answer.start(200, _HEADERS)
            await self._answer.body(PING, more=True)
        finally:  # or a writer would wait for ever behind a ping that failed
            pinging.set()
            self._pinging = None

"""The task beside each request: it notices when the client leaves, and keeps a silent stream awake."""

from __future__ import annotations

import anyio
from starlette.types import Receive

from gateway.api.events import EventStream
from gateway.api.http import Answer


async def watch(
    receive: Receive, answer: Answer, scope: anyio.CancelScope, stream: EventStream | None, ping_s: float
) -> None:
    """Cancel `scope` when the client leaves, also before the first token and for answers that are not streamed.

    After each `ping_s` seconds without a written event, a comment goes out: proxies take silence for a dead connection.
    """
    if stream is None or not ping_s:
        await _until_left(receive)
    else:
        while True:
            with anyio.move_on_after(ping_s) as patience:
                await _until_left(receive)
            if not patience.cancelled_caught:
                break
            await stream.ping()
    if not answer.done:  # servers also report a disconnect once the answer is out
        scope.cancel()


async def _until_left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass

"""Request bodies on their way in: bounded each and together, and nobody may stop in the middle for long."""

from __future__ import annotations

import asyncio
from types import TracebackType

import anyio
from starlette.types import Receive

from gateway.api.errors import HTTPError
from gateway.api.http import Headers
from gateway.core.errors import QueueFull

IDLE_S = 30.0
"""The longest silence in the middle of a body."""
_BODIES = 8
_LEAST_BYTES = 256 * 1_048_576
_SWALLOW_S = 10.0
_SWALLOW_TIMES = 4


class ClientGone(Exception):
    """The client left before its request was whole; there is nobody to answer."""


class Bodies:
    """Reads bodies of up to `limit` bytes, and counts what all that are being read hold together."""

    def __init__(self, limit: int, *, in_flight: int, idle_s: float = IDLE_S) -> None:
        self._limit = limit
        self._idle_s = idle_s
        # More than may be in flight need not be read: one beyond them hears that it is one too many.
        self._most = min(max(_BODIES * limit, _LEAST_BYTES), (in_flight + 1) * limit)
        self._held = 0

    def held(self) -> Body:
        """A body to read; what it holds counts until the block is left."""
        return Body(self)

    def add(self, size: int) -> bool:
        """Count `size` bytes more, or say that there is no room for them."""
        if self._held + size > self._most:
            return False
        self._held += size
        return True

    def let_go(self, size: int) -> None:
        self._held -= size

    @property
    def limit(self) -> int:
        return self._limit

    @property
    def idle_s(self) -> float:
        return self._idle_s


class Body:
    """One body."""

    def __init__(self, bodies: Bodies) -> None:
        self._bodies = bodies
        self.size = 0

    def __enter__(self) -> Body:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bodies.let_go(self.size)

    async def read(self, receive: Receive, headers: Headers) -> bytes:
        """The whole of it, or an error as soon as it is known to be too much: 413 alone, 429 with all the others.

        That is before it is parsed, and what is too much is never held as a whole. Raises ClientGone.
        """
        limit = self._bodies.limit
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise HTTPError(415, "send the body without content-encoding", code="unsupported_encoding")
        length = headers.get(b"content-length", b"")
        if length.isdigit() and (len(length) > 18 or int(length) > limit):
            await _swallow(receive, limit)
            raise _too_large(limit)
        try:
            async with asyncio.timeout(self._bodies.idle_s) as patience:
                return await self._read(receive, patience)
        except TimeoutError:
            raise HTTPError(
                408,
                f"no byte of the body came for {self._bodies.idle_s:g} s; send it again",
                code="request_timeout",
                connection="close",
            ) from None

    async def _read(self, receive: Receive, patience: asyncio.Timeout) -> bytes:
        chunks: list[bytes] = []
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            if (problem := self._take(len(chunk))) is not None:
                chunks.clear()
                patience.reschedule(None)
                await _swallow(receive, self._bodies.limit)
                raise problem
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)
            patience.reschedule(asyncio.get_running_loop().time() + self._bodies.idle_s)

    def _take(self, size: int) -> Exception | None:
        if self.size + size > self._bodies.limit:
            return _too_large(self._bodies.limit)
        if not self._bodies.add(size):
            return QueueFull("as many bodies as fit the memory set aside for them are being read")
        self.size += size
        return None


async def _swallow(receive: Receive, limit: int) -> None:
    """Read on for a while and keep nothing: closing on a client that still sends makes it lose the answer, take it for
    a broken connection, and send the same body again."""
    size = 0
    with anyio.move_on_after(_SWALLOW_S):
        while size <= _SWALLOW_TIMES * limit:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            size += len(message.get("body", b""))
            if not message.get("more_body", False):
                return


def _too_large(limit: int) -> HTTPError:
    return HTTPError(
        413,
        f"the body is larger than {limit / 1_048_576:g} MiB, the limit set by server.body_limit_mb",
        code="request_too_large",
        connection="close",
    )

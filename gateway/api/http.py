"""The few pieces of ASGI the endpoints share: headers, bounded bodies, JSON answers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

import anyio
import orjson
from starlette.types import Message, Receive, Scope, Send

from gateway.api.errors import HTTPError, describe
from gateway.core.types import Json

Headers = Mapping[bytes, bytes]
_JSON = (b"content-type", b"application/json")
_SWALLOW_S = 10.0
_SWALLOW_TIMES = 4


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Header names in lower case, as ASGI gives them; repeated ones are joined, so that none can hide another."""
    pairs = scope["headers"]
    headers = dict(pairs)
    if len(headers) != len(pairs):
        for name in headers:
            headers[name] = b", ".join(value for other, value in pairs if other == name)
    return headers


def text_of(headers: Headers, name: bytes) -> str | None:
    value = headers.get(name)
    return value.decode("latin-1").strip() if value is not None else None


async def read_body(receive: Receive, headers: Headers, limit: int) -> bytes:
    """The whole body, or 413 as soon as it is known to be too large: before it is parsed, and never held as a whole."""
    if headers.get(b"content-encoding", b"identity").lower() != b"identity":
        raise HTTPError(415, "send the body without content-encoding", code="unsupported_encoding")
    length = headers.get(b"content-length", b"")
    if length.isdigit() and int(length) > limit:
        await _swallow(receive, limit)
        raise _too_large(limit)
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientGone
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            chunks.clear()
            await _swallow(receive, limit)
            raise _too_large(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


class ClientGone(Exception):
    """The client left before its request was whole; there is nobody to answer."""


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


class Answer:
    """`send` that remembers how far the answer has come."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.started = False
        self.done = False
        self.cors: list[tuple[bytes, bytes]] = []
        self.decision: list[tuple[bytes, bytes]] = []
        """Headers that tell what was decided, as far as that is known when the answer starts."""

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        self.started = True
        message: Message = {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"x-request-id", self.request_id.encode()), *self.decision, *self.cors],
        }
        await self._send(message)

    async def body(self, data: bytes, *, more: bool = False) -> None:
        self.done = not more
        await self._send({"type": "http.response.body", "body": data, "more_body": more})

    async def json(self, content: Json, *, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        data = orjson.dumps(content)
        extra = [(name.encode(), value.encode("latin-1", "replace")) for name, value in (headers or {}).items()]
        await self.start(status, [_JSON, (b"content-length", b"%d" % len(data)), *extra])
        await self.body(data)

    async def bytes(self, data: bytes, content_type: str) -> None:
        await self.start(200, [(b"content-type", content_type.encode()), (b"content-length", b"%d" % len(data))])
        await self.body(data)

    async def error(self, error: Exception) -> None:
        status, body, headers = describe(error)
        await self.json(body, status=status, headers=headers)


def query_of(scope: Scope) -> dict[str, str]:
    return dict(parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True))

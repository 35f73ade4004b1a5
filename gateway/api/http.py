"""The few pieces of ASGI the endpoints share: headers, queries, JSON answers."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import parse_qsl

import orjson
from starlette.types import Message, Scope, Send

from gateway.api.errors import HTTPError, describe
from gateway.core.types import Json

Headers = Mapping[bytes, bytes]
_JSON = (b"content-type", b"application/json")
MAX_HEADERS = 200


def headers_of(scope: Scope) -> dict[bytes, bytes]:
    """Header names in lower case, as ASGI gives them; repeated ones are joined, so that none can hide another.

    Nobody has been identified yet: the work is one pass over a bounded number. Raises HTTPError 431.
    """
    pairs = scope["headers"]
    if len(pairs) > MAX_HEADERS:
        raise HTTPError(
            431, f"a request has at most {MAX_HEADERS} headers", code="headers_too_large", connection="close"
        )
    headers = dict(pairs)
    if len(headers) != len(pairs):
        values: dict[bytes, list[bytes]] = {}
        for name, value in pairs:
            values.setdefault(name, []).append(value)
        headers = {name: b", ".join(all_of_it) for name, all_of_it in values.items()}
    return headers


def text_of(headers: Headers, name: bytes) -> str | None:
    value = headers.get(name)
    return value.decode("latin-1").strip() if value is not None else None


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

"""The provider that the gateway plays itself: a server on loopback that keeps what it gets and says it back."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

from gateway.core.types import Json
from gateway.selfcheck.plants import compact
from gateway.selfcheck.reading import said, strings

_HEAD = 65_536
_PLACEHOLDER = re.compile(r"(?<![A-Z])[A-Z][A-Z_]+_\d+(?:_[a-z0-9]{4})?(?![A-Za-z0-9])")
_SLICE = 3
"""Characters of a streamed piece: no placeholder fits into one."""


@dataclass(frozen=True, slots=True)
class Received:
    """What arrived at one backend."""

    number: int
    """Which of the backends in their order: it stands in the path."""
    payload: Json = field(repr=False)

    @property
    def replaced(self) -> bool:
        """Whether something stands in it for something else."""
        return any(_PLACEHOLDER.search(text) for text in strings(self.payload))

    def holds(self, needles: tuple[str, ...]) -> bool:
        """Whether any of them is in it, however written."""
        text = compact("".join(strings(self.payload, decoded=True)))
        joined = compact(said(self.payload))
        return any(needle in text or needle in joined for needle in needles)


class Outside:
    """Use `outside()`; `base_url(n)` is backend n's address."""

    def __init__(self, port: int) -> None:
        self.received: list[Received] = []
        self._port = port

    def base_url(self, number: int) -> str:
        return f"http://127.0.0.1:{self._port}/{number}/v1"

    def taken(self) -> list[Received]:
        """What arrived since it was last asked."""
        received, self.received = self.received, []
        return received

    async def serve(self, stream: anyio.abc.ByteStream) -> None:
        """One connection, request after request."""
        buffered = BufferedByteReceiveStream(stream)
        async with stream:
            while True:
                try:
                    head = await buffered.receive_until(b"\r\n\r\n", _HEAD)
                    number, length = _read(head)
                    body = json.loads(await buffered.receive_exactly(length))
                    self.received.append(Received(number, body))
                    await stream.send(b"".join(_answer(body)))
                except (anyio.IncompleteRead, anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
                    return


@asynccontextmanager
async def outside() -> AsyncGenerator[Outside]:
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    here = Outside(listener.extra(anyio.abc.SocketAttribute.local_port))  # noqa: S610 - not Django's
    try:
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, here.serve)
            yield here
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:  # what goes wrong inside is told as what it is
        if len(group.exceptions) == 1:
            raise group.exceptions[0] from None
        raise


def _read(head: bytes) -> tuple[int, int]:
    """The backend's number and the length of the body."""
    first, *lines = head.decode("latin-1").split("\r\n")
    named = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    return int(first.split("/")[1]), int(named.get("content-length", "0"))


def _answer(body: Json) -> Iterator[bytes]:
    """All that was sent, said back: as text, and as the arguments of a tool call."""
    told = " ".join(strings({name: value for name, value in body.items() if name != "model"}))
    arguments = json.dumps({"told": told})
    content = (
        b"".join(_streamed(told, arguments)) if body.get("stream") else json.dumps(_whole(told, arguments)).encode()
    )
    kind = "text/event-stream" if body.get("stream") else "application/json"
    yield f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(content)}\r\n\r\n".encode()
    yield content


def _whole(told: str, arguments: str) -> Json:
    call = {"id": "call_told", "type": "function", "function": {"name": "tell", "arguments": arguments}}
    message = {"role": "assistant", "content": told, "tool_calls": [call]}
    usage = {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    return {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice], "usage": usage}


def _streamed(told: str, arguments: str) -> Iterator[bytes]:
    yield _event({"role": "assistant", "content": ""})
    for at in range(0, len(told), _SLICE):
        yield _event({"content": told[at : at + _SLICE]})
    first = {"index": 0, "id": "call_told", "type": "function", "function": {"name": "tell", "arguments": ""}}
    yield _event({"tool_calls": [first]})
    for at in range(0, len(arguments), _SLICE):
        yield _event({"tool_calls": [{"index": 0, "function": {"arguments": arguments[at : at + _SLICE]}}]})
    yield _event({}, "tool_calls")
    yield b"data: [DONE]\n\n"


def _event(delta: Json, finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"

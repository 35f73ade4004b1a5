"""The connection before and beyond the application: heads too large or never whole, clients that do not read."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
import uvicorn
from anyio.abc import SocketStream
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from gateway.api.protocol import HEADER_BYTES, BoundedProtocol, protocol
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio
GET = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"
Application = Callable[[Scope, Receive, Send], Awaitable[None]]


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
    await send({"type": "http.response.body", "body": b"hello"})


@asynccontextmanager
async def served(app: Application = hello, **limits: Any) -> AsyncIterator[int]:
    """The port of a server that speaks this protocol. It is patient: whoever tests a limit says so."""
    kind = type("Limited", (BoundedProtocol,), {"header_s": PATIENCE_S, "write_timeout_s": PATIENCE_S, **limits})
    config = uvicorn.Config(app, log_config=None, lifespan="off", ws="none", access_log=False)
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: kind(config, state, {}), "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()  # type: ignore[union-attr]
        await anyio.sleep(0.01)


async def read(stream: SocketStream, until: bytes | None = None) -> bytes:
    """Everything until these bytes, or until the server closes."""
    said = b""
    with anyio.fail_after(PATIENCE_S):
        while until is None or until not in said:
            try:
                said += await stream.receive()
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return said
    return said


async def exchange(port: int, *pieces: bytes) -> bytes:
    async with await anyio.connect_tcp("127.0.0.1", port) as stream:
        for piece in pieces:
            await stream.send(piece)
            await anyio.sleep(0.01)
        return await read(stream)


def told(said: bytes) -> tuple[int, str]:
    """Status and code of an answer in OpenAI's shape, which must say that the connection ends."""
    head, _, body = said.partition(b"\r\n\r\n")
    assert b"connection: close" in head
    error = json.loads(body)["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    return int(head.split()[1]), error["code"]


LARGE: dict[str, list[bytes]] = {
    "one header in pieces": [GET[:-2] + b"x: ", *[b"a" * 16_000] * 6],
    "one header at once": [GET[:-2] + b"x: " + b"a" * (HEADER_BYTES + 1) + b"\r\n\r\n"],
    "many headers": [GET[:-2], *[b"".join(b"x%d: aaaaaaaa\r\n" % each for each in range(1500))] * 4],
    "an address": [b"GET /", *[b"a" * 16_000] * 6],
}


@pytest.mark.parametrize("case", LARGE)
async def test_a_head_beyond_the_limit_is_refused_before_it_is_whole(case: str) -> None:
    async with served() as port:
        assert told(await exchange(port, *LARGE[case])) == (431, "headers_too_large")


async def test_a_second_head_on_the_same_connection_is_bounded_too() -> None:
    async with served() as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(GET)
        assert b"hello" in await read(stream, b"hello")
        for piece in LARGE["one header in pieces"]:
            await stream.send(piece)
            await anyio.sleep(0.01)
        assert told(await read(stream)) == (431, "headers_too_large")


async def test_a_body_does_not_count_as_head() -> None:
    async with served() as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        body = b"a" * (3 * HEADER_BYTES)
        await stream.send(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
        assert b"200 OK" in await read(stream, b"hello")


@pytest.mark.parametrize(
    "pieces", [[GET[:9]], [GET[:-2]], [GET[:-2], b"x: 1\r\n", b"y: 1\r\n"]], ids=["a path", "a head", "in pieces"]
)
async def test_a_head_that_is_not_whole_in_time_is_given_up(pieces: list[bytes]) -> None:
    async with served(header_s=0.5) as port:
        assert told(await exchange(port, *pieces)) == (408, "request_timeout")


@pytest.mark.parametrize("pieces", [[], [b"\r\n\r\n"]], ids=["nothing", "blank lines"])
async def test_a_connection_on_which_nothing_is_asked_is_closed(pieces: list[bytes]) -> None:
    async with served(header_s=0.2) as port:
        assert await exchange(port, *pieces) == b""


async def test_a_slow_application_is_waited_for_and_connections_are_kept() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await anyio.sleep(0.7)
        await hello(scope, receive, send)

    async with served(slow, header_s=0.5) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        for _ in range(2):
            await stream.send(GET)
            assert b"200 OK" in await read(stream, b"hello")
        await stream.send(GET + GET)
        assert (await read(stream, b"hello")).count(b"hello") + (await read(stream, b"hello")).count(b"hello") == 2


async def test_what_is_not_http_is_told_so_and_leaves_no_line_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    async with served() as port:
        assert told(await exchange(port, b"\x16\x03\x01\x02\x00\x01\x00")) == (400, "invalid_http")
    assert caplog.records == []


async def test_a_websocket_is_answered_as_a_plain_request_and_leaves_no_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with served() as port:
        asked = GET[:-2] + b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n"
        assert (await exchange(port, asked)).endswith(b"hello")
    assert caplog.records == []


async def test_connections_beyond_the_limit_are_turned_away() -> None:
    async with served(most_connections=2) as port:
        async with await anyio.connect_tcp("127.0.0.1", port), await anyio.connect_tcp("127.0.0.1", port):
            await anyio.sleep(0.02)
            assert told(await exchange(port)) == (503, "too_many_connections")
        await anyio.sleep(0.02)
        assert b"200 OK" in await exchange(port, GET[:-2] + b"connection: close\r\n\r\n")


class Flood:
    """An application that sends for as long as somebody takes it, or one large answer."""

    def __init__(self, *, whole: bool = False) -> None:
        self._whole = whole
        self.left = anyio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        if self._whole:
            await send({"type": "http.response.body", "body": bytes(30_000_000)})
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._until_left, receive, tasks.cancel_scope)
            while not self._whole:
                await send({"type": "http.response.body", "body": bytes(65_536), "more_body": True})
                await anyio.sleep(0)

    async def _until_left(self, receive: Receive, scope: anyio.CancelScope) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.left.set()
        scope.cancel()


@pytest.mark.parametrize("whole", [False, True], ids=["a stream", "a whole answer"])
async def test_a_client_that_takes_nothing_counts_as_gone(whole: bool) -> None:
    app = Flood(whole=whole)
    async with served(app, write_timeout_s=0.4) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(GET)
        with anyio.fail_after(PATIENCE_S):
            await app.left.wait()
        await anyio.sleep(0.6)
        await read(stream)  # what was under way, and then the end


async def test_a_client_that_reads_slowly_is_served() -> None:
    app = Flood()
    async with served(app, write_timeout_s=0.8) as port, await anyio.connect_tcp("127.0.0.1", port) as stream:
        await stream.send(GET)
        for _ in range(15):
            await stream.receive(262_144)
            await anyio.sleep(0.1)
        assert not app.left.is_set()


def test_connections_leave_half_of_the_files_for_the_gateway() -> None:
    made: Any = protocol(write_timeout_s=7)
    assert made.write_timeout_s == 7
    assert 16 <= made.most_connections <= 2**31

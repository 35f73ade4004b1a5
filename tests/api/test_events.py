"""Two tasks write one stream: nothing is interleaved, started twice or sent after the end, however slow the client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from starlette.types import Message

from gateway.api.events import PING, EventStream
from gateway.api.http import Answer
from gateway.api.watch import watch
from gateway.core.errors import BackendBroke
from tests.support.still import still

pytestmark = [pytest.mark.anyio, still]
EVENT = b'data: {"a":1}\n\n'


class Client:
    """Takes what is sent, each message after a pause if told so, and refuses what no server would send."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.pause_s = 0.0
        self.held: anyio.Event | None = None
        self._sending = 0

    async def __call__(self, message: Message) -> None:
        self._sending += 1
        assert self._sending == 1, "two sends at once"
        await anyio.sleep(self.pause_s)
        if self.held is not None:
            await self.held.wait()
        ended = any(earlier.get("more_body") is False for earlier in self.messages)
        assert not ended, "something after the end"
        assert (message["type"] == "http.response.start") == (not self.messages), "started twice or not at all"
        self.messages.append(message)
        self._sending -= 1

    @property
    def bodies(self) -> list[bytes]:
        return [message["body"] for message in self.messages if message["type"] == "http.response.body"]

    @property
    def status(self) -> int:
        status: int = self.messages[0]["status"]
        return status


@asynccontextmanager
async def streaming(client: Any, every_s: float = 0.01) -> AsyncIterator[EventStream]:
    answer = Answer(client, "req_1")
    stream = EventStream(answer)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(watch, anyio.sleep_forever, answer, anyio.CancelScope(), stream, every_s)
        yield stream
        await anyio.sleep(3 * every_s)  # whatever still wants to write does it now
        tasks.cancel_scope.cancel()


async def test_silence_is_broken_by_comments_and_data_is_not() -> None:
    client = Client()
    async with streaming(client, 0.05) as stream:
        await anyio.sleep(0.12)
        for _ in range(20):
            await stream.write(EVENT)
            await anyio.sleep(0.005)
        await stream.write(b"data: [DONE]\n\n", last=True)
    assert client.bodies[0] == PING
    assert len(client.bodies[client.bodies.index(EVENT) :]) == 21
    assert client.bodies[-1] == b"data: [DONE]\n\n"


async def test_a_ping_held_up_by_a_slow_client_is_not_interleaved() -> None:
    client = Client()
    client.pause_s = 0.02
    async with streaming(client) as stream:
        await anyio.sleep(0.03)
        for _ in range(10):
            await stream.write(EVENT)
        await stream.write(b"data: [DONE]\n\n", last=True)
    assert [body for body in client.bodies if body != PING] == [EVENT] * 10 + [b"data: [DONE]\n\n"]


async def test_no_pings_pile_up_while_a_client_does_not_read() -> None:
    client = Client()
    client.held = anyio.Event()
    async with streaming(client) as stream:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.write, EVENT)
            await anyio.sleep(0.1)
            client.held.set()
        await stream.write(b"data: [DONE]\n\n", last=True)
    assert client.bodies == [EVENT, b"data: [DONE]\n\n"]


async def test_a_ping_that_cannot_be_sent_does_not_hold_up_the_writer() -> None:
    held, sent = anyio.Event(), []

    async def send(message: Message) -> None:
        if not held.is_set():
            await held.wait()
            raise OSError("the connection broke")
        sent.append(message)

    async def ping() -> None:
        with pytest.raises(OSError, match="broke"):
            await stream.ping()

    stream = EventStream(Answer(send, "req_1"))
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ping)
            await anyio.sleep(0.02)
            tasks.start_soon(stream.write, EVENT)
            await anyio.sleep(0.02)
            assert sent == []
            held.set()
    assert [message["body"] for message in sent] == [EVENT]


async def test_a_failure_before_the_status_is_a_status() -> None:
    client = Client()
    async with streaming(client) as stream:
        await stream.fail(BackendBroke("the backend broke"))
    assert client.status == 502
    assert len(client.bodies) == 1


async def test_a_failure_while_a_ping_opens_the_stream_is_an_event() -> None:
    client = Client()
    client.pause_s = 0.05
    async with streaming(client) as stream:
        await anyio.sleep(0.02)  # the ping's status is on its way
        await stream.fail(BackendBroke("the backend broke"))
    assert client.status == 200
    assert client.bodies[0] == PING
    assert client.bodies[1].startswith(b'data: {"error":')
    assert len(client.bodies) == 2


async def test_a_failure_after_the_last_byte_says_nothing() -> None:
    client = Client()
    async with streaming(client) as stream:
        await stream.write(EVENT, last=True)
        await stream.fail(BackendBroke("the audit log broke"))
    assert client.bodies == [EVENT]

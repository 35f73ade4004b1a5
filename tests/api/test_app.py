"""The application without a server: what breaks inside, what is too much at once, what the log is told."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from starlette.types import Message
from structlog.contextvars import get_contextvars

from gateway.api.app import App, Endpoints
from gateway.api.auth import Auth
from gateway.api.chat import Chat, ChatOptions
from gateway.api.cors import Cors
from gateway.api.health import Health
from gateway.api.models import Models
from gateway.api.route import Route
from gateway.core.parts import Reply
from gateway.core.types import Allowed, BackendSpec, Chunk, Decision, Json, Pieces, Request, Sensitivity, Zone

pytestmark = pytest.mark.anyio
SPEC = BackendSpec("local", Zone.LOCAL, "canned", "m")
WAY = Allowed("local", Zone.LOCAL, "default")
DECISION = Decision(Sensitivity.INTERNAL, Zone.LOCAL, "local", "default", (), "p", "d", (WAY,))
SECRET = "the-secret-in-an-exception"


class Line:
    """Stands where the pipeline stands, and breaks or waits where it is told to."""

    def __init__(self, breaks: str = "", wait: anyio.Event | None = None) -> None:
        self._breaks = breaks
        self._wait = wait
        self.bound: dict[str, Any] = {}

    @asynccontextmanager
    async def handle(
        self, request: Request, decided: Callable[[Decision], None] | None = None
    ) -> AsyncGenerator[Reply, None]:
        self.bound = get_contextvars()
        if self._wait is not None:
            await self._wait.wait()
        self._break("before")
        yield Reply(DECISION, WAY, SPEC, "off", (), self._pieces())
        self._break("after")

    async def _pieces(self) -> AsyncGenerator[Pieces, None]:
        yield [Chunk(0, {"content": "Hi"})]
        self._break("middle")
        yield [Chunk(0, {}, "stop")]

    def _break(self, where: str) -> None:
        if self._breaks == where:
            raise ValueError(SECRET)


async def _nothing(request: Request) -> Json:
    return {}


class Client:
    """Sends one request to the application and keeps what comes back."""

    def __init__(self, line: Line, **options: Any) -> None:
        self.failures: list[tuple[str, Exception]] = []
        chat_options = ChatOptions(body_limit=10_000, names={"auto": "auto"}, **options)
        tell = self._tell
        chat = Chat(line, Auth(None), chat_options, tell)  # type: ignore[arg-type]
        self.app = App(
            Endpoints(
                chat=chat,
                route=Route(chat, _nothing),
                models=Models({}, 1),
                health=Health(()),
                metrics=lambda tenant: (b"", "text/plain"),
            ),
            Auth(None),
            Cors(()),
            hosts=None,
            log_failure=tell,
        )

    def _tell(self, request_id: str, error: Exception) -> None:
        self.failures.append((request_id, error))

    async def post(self, stream: bool = False) -> tuple[int, dict[str, str], bytes]:
        raw = json.dumps({"model": "auto", "stream": stream, "messages": [{"role": "user", "content": "Hi"}]}).encode()
        sent: list[Message] = []
        ended = anyio.Event()
        asked = [{"type": "http.request", "body": raw, "more_body": False}]

        async def receive() -> Message:
            if not asked:
                await ended.wait()
                return {"type": "http.disconnect"}
            return asked.pop()

        async def send(message: Message) -> None:
            sent.append(message)

        path = "/v1/chat/completions"
        await self.app({"type": "http", "method": "POST", "path": path, "headers": []}, receive, send)
        headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_what_breaks_inside_before_the_answer_is_a_500_that_tells_nothing(stream: bool) -> None:
    client = Client(Line("before"))
    status, headers, body = await client.post(stream)
    assert (status, json.loads(body)["error"]["code"]) == (500, "internal_error")
    assert SECRET.encode() not in body
    assert [(number, type(error)) for number, error in client.failures] == [(headers["x-request-id"], ValueError)]


async def test_what_breaks_inside_a_whole_answer_is_a_500_too() -> None:
    status, _, body = await Client(Line("middle")).post()
    assert (status, json.loads(body)["error"]["type"]) == (500, "server_error")


async def test_what_breaks_inside_a_stream_is_its_last_event() -> None:
    client = Client(Line("middle"))
    status, _, body = await client.post(stream=True)
    assert status == 200
    assert json.loads(body.split(b"data: ")[-1])["error"]["code"] == "internal_error"
    assert b"[DONE]" not in body
    assert SECRET.encode() not in body
    assert len(client.failures) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
async def test_what_breaks_after_the_last_byte_changes_nothing_for_the_client(stream: bool) -> None:
    client = Client(Line("after"))
    status, _, body = await client.post(stream)
    assert status == 200
    assert body.endswith(b"data: [DONE]\n\n") if stream else json.loads(body)["choices"]
    assert len(client.failures) == 1


async def test_the_request_id_is_bound_for_whatever_logs_on_the_way() -> None:
    line = Line()
    _, headers, _ = await Client(line).post()
    assert line.bound["request_id"] == headers["x-request-id"]


async def test_more_at_once_than_allowed_are_told_to_come_back() -> None:
    held = anyio.Event()
    line = Line(wait=held)
    client = Client(line, max_in_flight=1)
    answers: list[tuple[int, dict[str, str], bytes]] = []

    async def ask() -> None:
        answers.append(await client.post())

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await anyio.wait_all_tasks_blocked()
        status, headers, body = await client.post()
        held.set()
    assert (status, json.loads(body)["error"]["code"]) == (429, "queue_full")
    assert int(headers["retry-after"]) >= 1
    assert [answer[0] for answer in answers] == [200]
    assert (await client.post())[0] == 200  # its place is free again


async def test_only_http_is_answered() -> None:
    async def never(*_: Any) -> Any:
        raise AssertionError("nothing is read or sent")

    await Client(Line()).app({"type": "websocket"}, never, never)

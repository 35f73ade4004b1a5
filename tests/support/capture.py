"""The outside world for tests: an OpenAI-compatible server on loopback that records every byte it receives.

It runs in a thread of its own with its own event loop, so that it serves tests of any kind: blocking clients, asyncio,
gateways in a process of their own. Import it as `tests.support.capture`, or take the fixture `capture`.

    capture.answer(error(503), completion("Hi"))    # the next two answers; afterwards the default again
    capture.always(events(*words(128)))             # a new default
    capture.requests[0].json["messages"]
    assert b"DE89" not in capture.received

The default answers `POST …/chat/completions` (streamed when asked), `GET …/models` and `POST …/messages` (Anthropic's).
"""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.support.waiting import PATIENCE_S

MODEL = "capture-1"


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send back, and how badly."""

    pieces: tuple[bytes, ...] = ()
    """The body, one network write each."""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    """Before the first byte."""
    gap_s: float = 0.0
    """Between two pieces."""
    framing: str = "chunked"
    """chunked, length, or close (the body ends with the connection)."""
    end: str = "whole"
    """whole; cut (the connection is reset after the pieces); hang (it stays open and nothing more comes);
    closed (whole, then the connection is closed although keep-alive was promised)."""
    head: bool = True
    """False: not even a status line is sent."""

    def but(self, **changes: Any) -> Answer:
        return replace(self, **changes)


Script = Answer | Callable[["Recorded"], Answer]


@dataclass(slots=True)
class Recorded:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: int
    at: float
    left_at: float | None = None
    """`time.monotonic()` when the client went away before its answer was whole."""
    _left: threading.Event = field(default_factory=threading.Event)

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def wait_until_left(self) -> None:
        """Fails when the client does not go away."""
        assert self._left.wait(PATIENCE_S), "the client is still connected"

    def leave(self) -> None:
        self.left_at = time.monotonic()
        self._left.set()


class CaptureServer:
    """Use as a context manager. All of its attributes may be read from any thread."""

    def __init__(self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1") -> None:
        self.received = b""
        """Every byte that any client sent (after TLS), in order of arrival."""
        self.requests: list[Recorded] = []
        self.connections = 0
        """How many were opened, ever."""
        self.host = host
        self.port = 0
        self._tls = tls
        self._script: deque[Script] = deque()
        self._default: Script = by_route
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="capture", daemon=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}"

    @property
    def base_url(self) -> str:
        return f"{self.url}/v1"

    def answer(self, *scripts: Script) -> None:
        """What the next requests get, in order."""
        self._script.extend(scripts)

    def always(self, script: Script) -> None:
        """What every request gets for which nothing else is scripted."""
        self._default = script

    def clear(self) -> None:
        self.received, self.requests = b"", []
        self._script.clear()

    def wait_for_requests(self, count: int, timeout_s: float = PATIENCE_S) -> list[Recorded]:
        with self._changed:
            enough = self._changed.wait_for(lambda: len(self.requests) >= count, timeout_s)
        assert enough, f"{len(self.requests)} of {count} requests came"
        return self.requests

    def __enter__(self) -> CaptureServer:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(PATIENCE_S)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(PATIENCE_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()

    async def _start(self) -> None:
        self._open: set[_Connection] = set()
        self._server = await self._loop.create_server(lambda: _Connection(self), self.host, 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        self._server.close()
        for connection in list(self._open):
            connection.abort()
        await asyncio.sleep(0.01)  # let connection_lost run
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def opened(self, connection: _Connection) -> int:
        self._open.add(connection)
        self.connections += 1
        return self.connections

    def lost(self, connection: _Connection) -> None:
        self._open.discard(connection)

    def record(self, request: Recorded) -> Answer:
        with self._changed:
            self.requests.append(request)
            self._changed.notify_all()
        script = self._script.popleft() if self._script else self._default
        return script if isinstance(script, Answer) else script(request)


class _Connection(asyncio.Protocol):
    """One client: parses requests, answers them in turn, notices when it goes away."""

    def __init__(self, server: CaptureServer) -> None:
        self._server = server
        self._buffer = b""
        self._task: asyncio.Task[None] | None = None
        self._request: Recorded | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._number = self._server.opened(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._server.lost(self)
        if self._request is not None:
            self._request.leave()
        if self._task is not None:
            self._task.cancel()

    def abort(self) -> None:
        self._request = None  # the server leaves, not the client
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._server.received += data
        self._buffer += data
        self._next()

    def _next(self) -> None:
        if self._request is not None or (parsed := _parse(self._buffer)) is None:
            return
        method, path, headers, body, self._buffer = parsed
        self._request = Recorded(method, path, headers, body, self._number, time.monotonic())
        answer = self._server.record(self._request)
        self._task = asyncio.get_running_loop().create_task(self._answer(answer))

    async def _answer(self, answer: Answer) -> None:
        await asyncio.sleep(answer.delay_s)
        if answer.head:
            self._transport.write(_head(answer))
        for number, piece in enumerate(answer.pieces):
            if number and answer.gap_s:
                await asyncio.sleep(answer.gap_s)
            self._transport.write(b"%x\r\n%b\r\n" % (len(piece), piece) if answer.framing == "chunked" else piece)
            await asyncio.sleep(0)
        if answer.end == "hang":
            await asyncio.sleep(3600)
        if answer.end == "cut":
            await asyncio.sleep(0.02)  # let what was written arrive before the reset
            self.abort()
            return
        if answer.framing == "chunked":
            self._transport.write(b"0\r\n\r\n")
        self._request = None
        if answer.framing == "close" or answer.end == "closed":
            self._transport.close()
        else:
            self._next()


def _parse(data: bytes) -> tuple[str, str, dict[str, str], bytes, bytes] | None:
    head, found, rest = data.partition(b"\r\n\r\n")
    if not found:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ", 2)
    headers = {key.strip().lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        unchunked = _unchunk(rest)
        return None if unchunked is None else (method, path, headers, *unchunked)
    length = int(headers.get("content-length", 0))
    return None if len(rest) < length else (method, path, headers, rest[:length], rest[length:])


def _unchunk(data: bytes) -> tuple[bytes, bytes] | None:
    body = b""
    while True:
        size, found, data = data.partition(b"\r\n")
        if not found or len(data) < (length := int(size, 16)) + 2:
            return None
        if not length:
            return body, data[2:]
        body, data = body + data[:length], data[length + 2 :]


def _head(answer: Answer) -> bytes:
    headers = {"content-type": "application/json", **answer.headers}
    if answer.framing == "chunked":
        headers["transfer-encoding"] = "chunked"
    elif answer.framing == "length":
        headers.setdefault("content-length", str(sum(map(len, answer.pieces))))
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {answer.status} Scripted\r\n{lines}\r\n".encode("latin-1")


# ── What to answer ──────────────────────────────────────────────────────────────────────────────────────────────────


def body(content: bytes | Mapping[str, Any], status: int = 200, **headers: str) -> Answer:
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer((raw,), status=status, headers=named, framing="length")


def completion(
    text: str | None = "Hello.",
    *,
    n: int = 1,
    finish: str = "stop",
    usage: tuple[int, int] | None = (7, 2),
    message: Mapping[str, Any] | None = None,
    model: str = MODEL,
) -> Answer:
    """A whole `chat.completion`. `message` adds to or replaces the message's fields."""
    said = {"role": "assistant", "content": text, **(message or {})}
    whole: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": i, "message": said, "logprobs": None, "finish_reason": finish} for i in range(n)],
    }
    if usage is not None:
        whole["usage"] = usage_of(*usage)
    return body(whole)


def usage_of(prompt: int, completion: int) -> dict[str, int]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}


def event(delta: Mapping[str, Any], *, index: int = 0, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """One `chat.completion.chunk`."""
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": MODEL,
        "choices": [choice],
    } | more


def words(*texts: str, finish: str = "stop", usage: tuple[int, int] | None = (7, 2)) -> list[dict[str, Any]]:
    """The events of a usual stream: the role, each text, the finish, the usage."""
    first = event({"role": "assistant", "content": ""})
    last = event({}, finish=finish)
    told = [event({}, choices=[], usage=usage_of(*usage))] if usage else []
    return [first, *(event({"content": text}) for text in texts), last, *told]


def sse(*objects: Mapping[str, Any] | bytes, done: bool = True, newline: bytes = b"\n") -> list[bytes]:
    """Events as bytes, one `data:` block each."""
    raw = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in objects]
    return [b"data: " + each + newline * 2 for each in [*raw, *([b"[DONE]"] if done else [])]]


def events(*objects: Mapping[str, Any] | bytes, done: bool = True, cut_every: int | None = None) -> Answer:
    """A stream, one network write for each event, or for every `cut_every` bytes."""
    pieces: Sequence[bytes] = sse(*objects, done=done)
    if cut_every is not None:
        whole = b"".join(pieces)
        pieces = [whole[at : at + cut_every] for at in range(0, len(whole), cut_every)]
    return Answer(tuple(pieces), headers={"content-type": "text/event-stream"})


def error(status: int, message: str = "the upstream's prose", *, code: str | None = None, **headers: str) -> Answer:
    """An error in OpenAI's shape; header names with underscores for hyphens."""
    inner = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return body({"error": inner}, status, **headers)


def silence() -> Answer:
    """The request is read and nothing ever comes back."""
    return Answer(head=False, end="hang")


def cut_before_answer() -> Answer:
    """The request is read, then the connection is reset."""
    return Answer(head=False, end="cut")


def by_route(request: Recorded) -> Answer:
    """The default: what a real server would do on each route."""
    path = request.path.rstrip("/")
    if path.endswith("/models"):
        return body({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 1, "owned_by": "capture"}]})
    if path.endswith("/chat/completions"):
        if not request.json.get("stream"):
            return completion()
        asked = (request.json.get("stream_options") or {}).get("include_usage")
        return events(*words("Hel", "lo", ".", usage=(7, 2) if asked else None))
    if path.endswith("/messages"):
        return anthropic_stream("Hel", "lo.") if request.json.get("stream") else anthropic("Hello.")
    return error(404, code="not_found")


def anthropic(text: str) -> Answer:
    return body(
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": [{"type": "text", "text": text}],
            "stop_reason": "end_turn",
            "stop_sequence": None,
            "usage": {"input_tokens": 7, "output_tokens": 2},
        }
    )


def anthropic_stream(*texts: str) -> Answer:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": MODEL, "content": []}
    steps: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "usage": {"input_tokens": 7, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}} for text in texts),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
        {"type": "message_stop"},
    ]
    pieces = tuple(f"event: {step['type']}\ndata: {json.dumps(step)}\n\n".encode() for step in steps)
    return Answer(pieces, headers={"content-type": "text/event-stream"})


@pytest.fixture
def capture() -> Iterator[CaptureServer]:
    with CaptureServer() as server:
        yield server

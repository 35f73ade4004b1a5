"""An OpenAI-compatible upstream that answers at once, so that what is measured is what stands before it.

`python -m bench.upstream PORT` serves on loopback until it is ended. A streamed answer has 128 content events, each in
a write of its own. After `GET /gap/MS` they are that many milliseconds apart, as a model's tokens are.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any, cast

EVENTS = 128
MARK = "answered-by-the-upstream"
_HEAD = {"id": "chatcmpl-bench", "created": 1700000000, "model": "bench"}


def _event(choice: dict[str, Any] | None, **more: Any) -> bytes:
    choices = [] if choice is None else [{"index": 0, "finish_reason": None, **choice}]
    body = {**_HEAD, "object": "chat.completion.chunk", "choices": choices, **more}
    return b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"


def _chunk(event: bytes) -> bytes:
    return f"{len(event):x}\r\n".encode() + event + b"\r\n"


def _json_answer() -> bytes:
    usage = {"prompt_tokens": 100, "completion_tokens": 8, "total_tokens": 108}
    message = {"role": "assistant", "content": MARK}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    body = json.dumps({**_HEAD, "object": "chat.completion", "choices": choices, "usage": usage}).encode()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def _stream_answer() -> list[bytes]:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    first = _chunk(_event({"delta": {"role": "assistant", "content": MARK}}))
    words = [_chunk(_event({"delta": {"content": f" word{n}"}})) for n in range(EVENTS - 1)]
    end = _chunk(_event({"delta": {}, "finish_reason": "stop"})) + _chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n"
    return [head + first, *words, end]


JSON_ANSWER = _json_answer()
STREAM_ANSWER = _stream_answer()


class Pace:
    """How far apart streamed events are sent, for every connection."""

    gap_s = 0.0


class Upstream(asyncio.Protocol):
    """HTTP/1.1 with keep-alive, as much of it as the measured programs send."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._buffer = b""
        self._transport: asyncio.Transport
        self._pending: asyncio.TimerHandle | asyncio.Handle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, _: Exception | None) -> None:
        if self._pending is not None:
            self._pending.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (request := self._next_request()) is not None:
            head, body = request
            if head.startswith(b"get /gap/"):
                self._pace.gap_s = float(head.split(b" ")[1].removeprefix(b"/gap/")) / 1000
                self._transport.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
            elif b'"stream":true' in body or b'"stream": true' in body:
                self._send(0)
            else:
                self._transport.write(JSON_ANSWER)

    def _next_request(self) -> tuple[bytes, bytes] | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = self._buffer[:end].lower()
        whole = end + 4 + int(_header(head, b"content-length") or 0)
        if len(self._buffer) < whole:
            return None
        body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
        return head, body

    def _send(self, position: int) -> None:
        """One event per turn of the loop: written together they would leave as one packet, as no model's tokens do."""
        if position == len(STREAM_ANSWER):
            return
        self._transport.write(STREAM_ANSWER[position])
        self._pending = asyncio.get_running_loop().call_later(self._pace.gap_s, self._send, position + 1)


def _header(head: bytes, name: bytes) -> bytes:
    for line in head.split(b"\r\n")[1:]:
        key, _, value = line.partition(b":")
        if key == name:
            return value.strip()
    return b""


async def _serve(port: int) -> None:
    pace = Pace()
    server = await asyncio.get_running_loop().create_server(lambda: Upstream(pace), "127.0.0.1", port, backlog=1024)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    import uvloop

    uvloop.run(_serve(int(sys.argv[1])))

"""The connection itself: bounded headers, bounded waits, and no line in the log for what strangers send.

uvicorn's own protocol reads headers without end, waits for ever for the rest of them, and for ever for a client that
takes nothing of its answer. All of that is before or beyond what an ASGI application sees.
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import resource
import termios
from typing import Any

import httptools
import orjson
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gateway.api.errors import HTTPError, describe

HEADER_BYTES = 64 * 1024
_LOOKS = 4
"""How often a client that does not read is looked at before it counts as gone."""

_TOO_LARGE = HTTPError(431, f"the headers are larger than {HEADER_BYTES // 1024} KiB", code="headers_too_large")
_TOO_SLOW = HTTPError(408, "the headers took too long to come", code="request_timeout")
_NO_HTTP = HTTPError(400, "this is not HTTP/1.1", code="invalid_http")
_TOO_MANY = HTTPError(503, "too many connections are open", code="too_many_connections")


def protocol(*, write_timeout_s: float) -> type[asyncio.Protocol]:
    """The class for uvicorn's `http`. Half of the files this process may open are left for its own use."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = 65_536 if files == resource.RLIM_INFINITY else max(16, files // 2)
    return type("Protocol", (BoundedProtocol,), {"write_timeout_s": write_timeout_s, "most_connections": most})


class BoundedProtocol(HttpToolsProtocol):
    """What it adds to a request that arrives whole and is read at once is two comparisons."""

    header_s = 15.0
    """From a request's first byte to the end of its headers, and from connecting to the first byte."""
    write_timeout_s = 60.0
    most_connections = 65_536

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._heading = False
        self._head_bytes = 0
        """Bytes of this head in earlier reads, and in this one as far as is known."""
        self._read_bytes = 0
        self._oversized = False
        self._deadline: asyncio.TimerHandle | None = None
        self._writing: asyncio.TimerHandle | None = None
        self._untaken = 0
        self._looks = 0

    @property
    def _latest(self) -> RequestResponseCycle | None:
        """The request that came last, answered or not; None before the first one."""
        return self.cycle

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            self._refuse(_TOO_MANY)
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._end_deadline()
        self._end_watch()
        super().connection_lost(exc)

    # Headers

    def data_received(self, data: bytes) -> None:
        self._unset_keepalive_if_required()
        earlier, self._read_bytes = self._heading, len(data)
        if earlier:
            self._head_bytes += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            self.cycle.keep_alive = False  # answered as the plain request it also is; what follows is another protocol
        except httptools.HttpParserError:
            self._refuse(_TOO_LARGE if self._oversized else _NO_HTTP)
            return
        if self._heading:
            # A head that began in the middle of these bytes is counted from the next ones on.
            if not earlier and self._latest is None:
                self._head_bytes = len(data)
            if self._head_bytes > HEADER_BYTES:
                self._refuse(_TOO_LARGE)
                return
            self._await_head()
        elif (latest := self._latest) is None or latest.response_complete:
            self._await_head()  # blank lines between requests, or the rest of a body that is answered already

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._heading = True
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        self._heading = False
        self._end_deadline()
        if max(self._head_bytes, self._read_bytes) > HEADER_BYTES and self._size() > HEADER_BYTES:
            self._oversized = True
            raise ValueError("the head is too large")  # the parser stops and says so to `data_received`
        super().on_headers_complete()

    def _size(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _await_head(self) -> None:
        if self._deadline is None and not self.transport.is_closing():
            self._deadline = self.loop.call_later(self.header_s, self._too_slow)

    def _end_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _too_slow(self) -> None:
        self._deadline = None
        if self._heading:
            self._refuse(_TOO_SLOW)
        else:
            self.transport.close()

    def _refuse(self, error: HTTPError) -> None:
        """Answer and close. In the middle of another answer there is no place for this one."""
        latest = self._latest
        if latest is not None and latest.response_started and not latest.response_complete:
            self.transport.abort()
        elif not self.transport.is_closing():
            self.transport.write(_whole_answer(error))
            self._close()

    def _close(self) -> None:
        self.transport.close()
        self._watch_writes()

    # Clients that do not read

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_writes()

    def resume_writing(self) -> None:
        self._end_watch()
        super().resume_writing()

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()
        self._watch_writes()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            self._watch_writes()

    def _watch_writes(self) -> None:
        if self._writing is None and self.transport.get_write_buffer_size():
            self._untaken, self._looks = self._pending(), 0
            self._writing = self.loop.call_later(self.write_timeout_s / _LOOKS, self._look)

    def _look(self) -> None:
        pending = self._pending()
        self._looks = self._looks + 1 if pending >= self._untaken else 0
        self._untaken = pending
        if self._looks >= _LOOKS:
            self._writing = None
            self.transport.abort()  # the application learns of it as of any client that left
        else:
            self._writing = self.loop.call_later(self.write_timeout_s / _LOOKS, self._look)

    def _end_watch(self) -> None:
        if self._writing is not None:
            self._writing.cancel()
            self._writing = None

    def _pending(self) -> int:
        """Bytes that the client has yet to take: ours, and the system's where it tells."""
        kept = array.array("i", [0])
        try:
            fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, kept)
        except (OSError, AttributeError):
            kept[0] = 0
        return self.transport.get_write_buffer_size() + kept[0]


def _whole_answer(error: HTTPError) -> bytes:
    status, content, _ = describe(error)
    body = orjson.dumps(content)
    return b"%bcontent-type: application/json\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%b" % (
        STATUS_LINE[status],
        len(body),
        body,
    )

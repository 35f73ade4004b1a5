"""From an upstream's bytes to chunks, whichever of the two shapes it chose to answer in."""

from __future__ import annotations

import json

import orjson

from gateway.backends.answer import Answer
from gateway.backends.sse import EventParser, EventTooLong
from gateway.core.errors import BackendBroke, GatewayError
from gateway.core.types import Chunk, Json

DONE = b"[DONE]"


class Reader:
    """Reads one answer. Some servers answer a stream request with one JSON object, and some the other way round."""

    def __init__(self, backend: str, content_type: str, limit: int) -> None:
        self._backend = backend
        self._answer = Answer(backend)
        self._limit = limit
        self._size = 0
        self._events: EventParser | None = None
        self._body: list[bytes] = []
        self._stream: bool | None = None
        """None while it is not known which shape comes."""
        if "event-stream" in content_type:
            self._begin(stream=True)
        elif "json" in content_type:
            self._begin(stream=False)
        self.done = False
        """The upstream said [DONE] or something that ends the answer badly; what follows is not read."""
        self._failure: GatewayError | None = None

    def feed(self, piece: bytes) -> list[Chunk]:
        self._size += len(piece)
        if self._size > self._limit:
            raise BackendBroke(f"backend {self._backend!r} answered with more than {self._limit} bytes")
        if self._stream is None:
            piece = b"".join([*self._body, piece])
            self._body = [piece]
            if not (start := piece.removeprefix(b"\xef\xbb\xbf").lstrip()):
                return []
            self._body = []
            self._begin(stream=not start.startswith((b"{", b"[")))
        if self._events is None:
            self._body.append(piece)
            return []
        try:
            return self._chunks(self._events.feed(piece))
        except EventTooLong as error:
            raise BackendBroke(f"backend {self._backend!r} sent an event that is too long") from error

    @property
    def whole(self) -> bool:
        return self._answer.whole

    def rest(self) -> list[Chunk]:
        """What the end of the bytes completes (some upstreams leave out the last blank line), to be passed on before
        `end` is asked: that one may raise."""
        return [] if self._events is None or self.done else self._chunks(self._events.finish())

    def end(self) -> list[Chunk]:
        """The last chunks, once the bytes are over or `done`. Raises where the answer is not whole."""
        chunks = self.rest()
        if self._failure is not None:
            raise self._failure
        if self._events is not None:
            return chunks + self._answer.end(complete=self.done)
        self._answer.add(self._parse(b"".join(self._body)), chunks)
        return chunks + self._answer.end(complete=True)

    def _begin(self, *, stream: bool) -> None:
        self._stream = stream
        if stream:
            self._events = EventParser()

    def _chunks(self, events: list[bytes]) -> list[Chunk]:
        """The chunks of these events. What came before a bad one is passed on first: the network decides what arrives
        together, and what a client sees must not depend on that. `end` raises what was wrong."""
        chunks: list[Chunk] = []
        add = self._answer.add
        try:
            for event in events:
                if event[:6] == DONE:
                    self.done = True
                    break
                if event:
                    try:
                        parsed = orjson.loads(event)
                    except orjson.JSONDecodeError:
                        parsed = self._lenient(event)
                    add(parsed, chunks)
        except GatewayError as error:
            if not chunks:
                raise
            self._failure, self.done = error, True
        return chunks

    def _parse(self, raw: bytes) -> Json:
        try:
            return orjson.loads(raw)
        except orjson.JSONDecodeError:
            return self._lenient(raw)

    def _lenient(self, raw: bytes) -> Json:
        """What strict JSON forbids and servers send: broken UTF-8 or half a surrogate pair (an emoji cut at a token's
        edge), NaN in logprobs. The first two become a replacement character, the last null."""
        try:
            parsed = json.loads(raw.decode("utf-8-sig", "replace"), parse_constant=lambda _: None)
            return orjson.loads(json.dumps(parsed, ensure_ascii=False).encode("utf-8", "replace"))
        except (ValueError, RecursionError):
            # From None: the parser's error quotes the answer.
            raise BackendBroke(f"backend {self._backend!r} sent something that is not JSON") from None

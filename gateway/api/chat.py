"""POST /v1/chat/completions: a body becomes a Request, a Reply becomes JSON or a stream of events."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import anyio
from starlette.types import Receive

from gateway.api.auth import Auth
from gateway.api.body import Bodies, ClientGone
from gateway.api.collect import Collector
from gateway.api.events import EventStream
from gateway.api.http import Answer, Headers, text_of
from gateway.api.models import unknown_model
from gateway.api.schema import parse_body
from gateway.api.sse import StreamWriter
from gateway.api.usage import context_header
from gateway.api.watch import watch
from gateway.core.errors import BadRequest, GatewayError, QueueFull
from gateway.core.naming import LOCAL, meant
from gateway.core.parts import Reply
from gateway.core.types import Decision, Principal, Request, Sensitivity
from gateway.pipeline import Pipeline

_CONVERSATION = (b"x-conversation-id", b"x-openwebui-chat-id", b"x-claude-code-session-id", b"x-session-id")
MAX_NAMES = 30
_RAISES = {str(level): level for level in Sensitivity}


@dataclass(frozen=True, slots=True)
class ChatOptions:
    body_limit: int
    """Bytes."""
    names: Mapping[str, str]
    """Every model name a client may send → what it means: 'auto', 'local', 'local:ADAPTER' or a backend's name."""
    headers: bool = True
    echo_served: bool = False
    ping_s: float = 15.0
    max_in_flight: int = 512


class Chat:
    """The endpoint. `log_failure` is told of errors that are not ours, without their text."""

    def __init__(
        self,
        pipeline: Pipeline,
        auth: Auth,
        options: ChatOptions,
        log_failure: Callable[[str, Exception], None],
    ) -> None:
        self._pipeline = pipeline
        self._auth = auth
        self._options = options
        self._log_failure = log_failure
        self.in_flight = 0
        """Requests being answered now."""
        self._bodies = Bodies(options.body_limit, in_flight=options.max_in_flight)

    async def __call__(self, headers: Headers, receive: Receive, answer: Answer) -> None:
        try:
            request = await self.read(headers, receive, answer.request_id)
        except ClientGone:
            return
        with self.counted():
            await self._watched(request, receive, answer)

    async def read(self, headers: Headers, receive: Receive, request_id: str) -> Request:
        """Who asks, and what for. Raises ClientGone, HTTPError, BadRequest or UnknownModel."""
        principal = self._auth.identify(headers)
        with self._bodies.held() as body:
            return self.parse(await body.read(receive, headers), headers, principal, request_id)

    @contextmanager
    def counted(self) -> Iterator[None]:
        """In flight while inside. Raises QueueFull."""
        if self.in_flight >= self._options.max_in_flight:
            raise QueueFull(f"{self.in_flight} requests are in flight, the most server.max_in_flight allows")
        self.in_flight += 1
        try:
            yield
        finally:
            self.in_flight -= 1

    async def _watched(self, request: Request, receive: Receive, answer: Answer) -> None:
        stream = EventStream(answer) if request.stream else None
        scope = anyio.CancelScope()
        # A task group would own this task as well, and costs 50 µs: as much as all else between here and the pipeline.
        # It ends with this block; were something to go wrong in it, the event loop's handler would log that.
        watcher = asyncio.get_running_loop().create_task(
            watch(receive, answer, scope, stream, self._options.ping_s), name="watch"
        )
        try:
            with scope:
                await self._serve(request, answer, stream)
        finally:
            watcher.cancel()

    def parse(self, raw: bytes, headers: Headers, principal: Principal, request_id: str) -> Request:
        """The request a client means. Raises BadRequest or UnknownModel."""
        body = parse_body(raw)
        asked = body["model"]
        if (means := self._options.names.get(asked)) is None:
            raise unknown_model(asked, self._options.names)
        model, adapter = meant(means)
        options = body.get("stream_options") or {}
        control = (text_of(headers, b"cache-control") or "").lower()
        return Request(
            id=request_id,
            principal=principal,
            model=model,
            body=body,
            stream=bool(body.get("stream")),
            asked_model=asked,
            at_least=_raised(headers),
            local_only=model == LOCAL,
            adapter=adapter,
            conversation=next((value for name in _CONVERSATION if (value := text_of(headers, name))), None),
            include_usage=bool(options.get("include_usage")),
            use_cache="no-store" not in control and "no-cache" not in control,
            received_at=time.time(),
        )

    async def _serve(self, request: Request, answer: Answer, stream: EventStream | None) -> None:
        try:
            if stream is not None:
                await self._stream(request, answer, stream)
            else:
                await self._whole(request, answer)
        except Exception as error:  # noqa: BLE001 - the edge answers whatever happens, in OpenAI's shape
            if not isinstance(error, GatewayError):
                self._log_failure(request.id, error)
            if stream is not None:
                await stream.fail(error)
            elif not answer.started:
                await answer.error(error)

    async def _whole(self, request: Request, answer: Answer) -> None:
        collector = Collector(choices=request.body.get("n", 1))
        async with self._pipeline.handle(request, self._announce(answer)) as reply:
            self._describe(reply, answer)
            async for pieces in reply.pieces:
                collector.add(pieces)
            body = collector.body(
                id=_completion_id(request), created=int(request.received_at), model=self._model(request, reply)
            )
            if self._options.headers and (context := context_header(collector.usage)) is not None:
                answer.decision.append((b"x-gateway-context", context))
            await answer.json(body)

    async def _stream(self, request: Request, answer: Answer, stream: EventStream) -> None:
        async with self._pipeline.handle(request, self._announce(answer)) as reply:
            self._describe(reply, answer)
            writer = StreamWriter(
                id=_completion_id(request),
                created=int(request.received_at),
                model=self._model(request, reply),
                choices=request.body.get("n", 1),
                include_usage=request.include_usage,
                tell_context=self._options.headers,
            )
            async for pieces in reply.pieces:
                if events := writer.write(pieces):
                    await stream.write(events)
            await stream.write(writer.end(), last=True)

    def _announce(self, answer: Answer) -> Callable[[Decision], None]:
        """Refusals carry the decision's headers too, so set them as soon as it is known."""

        def decided(decision: Decision) -> None:
            if self._options.headers:
                answer.decision = _decision_headers(
                    str(decision.zone), decision.backend, decision.rule, "off", decision
                )

        return decided

    def _describe(self, reply: Reply, answer: Answer) -> None:
        if self._options.headers:
            way = reply.way
            answer.decision = _decision_headers(str(way.zone), way.backend, way.rule, reply.cache, reply.decision)
            if reply.replaced:
                told = f"{way.transform}; replaced={reply.replaced}"
                answer.decision.append((b"x-gateway-transform", told.encode()))
            if reply.dropped:
                answer.decision.append((b"x-gateway-dropped", _few(reply.dropped)))

    def _model(self, request: Request, reply: Reply) -> str:
        return reply.backend.model if self._options.echo_served else request.asked_model


def _few(names: Sequence[str]) -> bytes:
    """Names for a header, which proxies allow a few thousand bytes: a client may send any number of fields."""
    told = [*names[:MAX_NAMES], "..."] if len(names) > MAX_NAMES else names
    return ",".join(told).encode("ascii", "replace")


def _decision_headers(zone: str, backend: str, rule: str, cache: str, decision: Decision) -> list[tuple[bytes, bytes]]:
    headers = [
        (b"x-gateway-zone", zone.encode()),
        (b"x-gateway-backend", backend.encode()),
        (b"x-gateway-rule", rule.encode("ascii", "replace")),
        (b"x-gateway-cache", cache.encode()),
    ]
    if decision.adapter and zone == LOCAL:
        headers.append((b"x-gateway-adapter", decision.adapter.encode()))
    if decision.notice:
        headers.append((b"x-gateway-notice", decision.notice.encode("ascii", "replace")))
    return headers


def _raised(headers: Headers) -> Sensitivity | None:
    word = text_of(headers, b"x-gateway-sensitivity")
    if word is None:
        return None
    if (level := _RAISES.get(word.lower())) is None:
        raise BadRequest(
            f"header 'x-gateway-sensitivity' must be one of {', '.join(_RAISES)}",
            param="x-gateway-sensitivity",
            code="invalid_value",
        )
    return level


def _completion_id(request: Request) -> str:
    """The request's id in OpenAI's clothes: what a client logs leads to the audit record."""
    return "chatcmpl-" + request.id.removeprefix("req_")

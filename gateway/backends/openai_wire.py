"""The OpenAI-compatible wire: OpenAI itself and every server that speaks its chat completions."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
import orjson

from gateway.backends.endpoint import Endpoint
from gateway.backends.failures import from_status
from gateway.backends.fields import limit, sendable
from gateway.backends.permit import only_for
from gateway.backends.reader import Reader
from gateway.backends.transport import AiohttpTransport, Cut, NotSent, Response, Silent, TransportError
from gateway.core.errors import BackendBroke, BackendTimeout, BackendUnreachable, GatewayError
from gateway.core.release import Released
from gateway.core.types import BackendSpec, Json, Outgoing, Pieces, Request, Zone

_OPENAI = ("api.openai.com", ".api.openai.com", ".openai.azure.com")
_ERROR_BYTES = 64 * 1024
_PATH = "/chat/completions"


@dataclass(frozen=True, slots=True)
class WireOptions:
    """What an operator may say about one server. None means: as is right for its host and zone."""

    connect_timeout_s: float = 5.0
    read_timeout_s: float = 600.0
    """The longest silence, before the first byte as between two."""
    connections: int = 512
    response_limit_mb: int = 64
    usage_in_stream: bool = True
    """Ask for usage in streams. A few old servers refuse `stream_options`."""
    send_store: bool | None = None
    """Send `store: false`; by default to zone remote. A few strict servers refuse a field they do not know."""
    max_tokens_field: str | None = None
    """max_tokens or max_completion_tokens; by default the latter for OpenAI alone."""
    developer_role: bool | None = None
    """Keep the role `developer` instead of writing `system`; by default for OpenAI alone."""
    also: frozenset[str] = frozenset()
    """Further top-level fields that may go out to this server, such as top_k."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Sent with every request; may hold secrets."""


class OpenAIWire:
    """A `RemoteBackend` for zones remote and private."""

    def __init__(
        self,
        spec: BackendSpec,
        endpoint: Endpoint,
        *,
        api_key: str | None = None,
        options: WireOptions | None = None,
    ) -> None:
        self.spec = spec
        self._options = options = options or WireOptions()
        openai = endpoint.host == _OPENAI[0] or endpoint.host.endswith(_OPENAI[1:])
        self._most_bytes = options.response_limit_mb * 1024 * 1024
        self._limit_field = options.max_tokens_field or ("max_completion_tokens" if openai else "max_tokens")
        self._developer = openai if options.developer_role is None else options.developer_role
        self._store = spec.zone is Zone.REMOTE if options.send_store is None else options.send_store
        self._transport = AiohttpTransport(
            endpoint,
            headers=_headers(api_key, options.headers),
            connect_timeout_s=options.connect_timeout_s,
            read_timeout_s=options.read_timeout_s,
            connections=options.connections,
        )

    def __repr__(self) -> str:
        return f"OpenAIWire({self.spec.name!r}, zone={self.spec.zone})"

    def prepare(self, request: Request) -> Outgoing:
        payload, dropped = sendable(request.body, self._options.also)
        payload["model"] = self.spec.model
        limit(payload, self._limit_field)
        if not self._developer:
            as_system(payload["messages"])
        if self._store:
            payload["store"] = False
        payload["stream"] = request.stream
        if request.stream and self._options.usage_in_stream:
            payload["stream_options"] = {"include_usage": True}
        return Outgoing(self.spec.name, payload, dropped)

    async def stream(self, released: Released) -> AsyncGenerator[Pieces, None]:
        only_for(self.spec, released)
        try:
            response = await self._transport.post(_PATH, orjson.dumps(released.outgoing.payload))
            try:
                if not 200 <= response.status < 300:
                    raise await self._failure(response)
                reader = Reader(self.spec.name, response.headers.get("content-type", ""), self._most_bytes)
                try:
                    async for piece in response:
                        if chunks := reader.feed(piece):
                            yield chunks
                        if reader.done:
                            break
                except Cut:
                    if not reader.whole:  # with every choice finished, only the farewell is missing
                        raise
                if chunks := reader.rest():
                    yield chunks
                if chunks := reader.end():
                    yield chunks
                await _read_to_end(response)
            finally:
                response.close()
        except TransportError as error:
            # From None: a parser's complaint quotes what the upstream sent.
            raise self._told(error) from None

    async def aclose(self) -> None:
        await self._transport.aclose()

    async def _failure(self, response: Response) -> GatewayError:
        said = b""
        # The status says enough; a body that cannot be read changes nothing.
        with anyio.move_on_after(5), suppress(TransportError):
            async for piece in response:
                said += piece
                if len(said) > _ERROR_BYTES:
                    break
        try:
            parsed: Json = orjson.loads(said)
        except orjson.JSONDecodeError:
            parsed = None
        return from_status(self.spec.name, response.status, response.headers, parsed)

    def _told(self, error: TransportError) -> GatewayError:
        """Only the first is sure that nothing was sent."""
        name = self.spec.name
        if isinstance(error, NotSent):
            return BackendUnreachable(f"backend {name!r} cannot be reached: {error}")
        if isinstance(error, Silent):
            return BackendTimeout(f"backend {name!r} was silent for too long")
        return BackendBroke(f"the connection to backend {name!r} broke")


async def _read_to_end(response: Response) -> None:
    """Take the few bytes behind [DONE], so that the connection can serve again; a slow sender is not waited for."""
    if response.over:
        return
    with anyio.move_on_after(0.02), suppress(TransportError):
        async for _ in response:
            break


def _headers(api_key: str | None, extra: Mapping[str, str]) -> dict[str, str]:
    """In lower case, so that what the operator says takes the place of ours however it is written."""
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "accept-encoding": "identity",
        "user-agent": "slm-gateway",
    }
    if api_key:
        headers["authorization"] = f"Bearer {api_key}"
    return headers | {name.lower(): value for name, value in extra.items()}


def as_system(messages: Json) -> None:
    for message in messages:
        if message["role"] == "developer":
            message["role"] = "system"

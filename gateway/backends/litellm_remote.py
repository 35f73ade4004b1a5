"""Every vendor that does not speak the OpenAI wire, through litellm: the only file that imports it, as late as can be.

litellm is a large library with habits of its own; all of them that matter here are switched off where it is loaded:
reading a `.env` file, fetching its price list, logging and printing requests, sending again what may have been read,
and following redirects, which would carry a prompt to a host that no policy has seen. Vendors are reached as
`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE` and the system's certificate store say.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
from collections.abc import AsyncGenerator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx

from gateway.backends.answer import Answer
from gateway.backends.endpoint import LOOPBACK, inside, validate_endpoint
from gateway.backends.failures import from_status
from gateway.backends.fields import limit, sendable
from gateway.backends.openai_wire import as_system
from gateway.backends.permit import only_for
from gateway.backends.trust import tls_context
from gateway.core.errors import (
    BackendBroke,
    BackendError,
    BackendRejected,
    BackendTimeout,
    BackendUnreachable,
    ConfigurationError,
    ContextTooLong,
    GatewayError,
    Unsupported,
)
from gateway.core.release import Released
from gateway.core.types import BackendSpec, Chunk, Outgoing, Pieces, Request, Zone

HINTS = frozenset(
    {"frequency_penalty", "parallel_tool_calls", "presence_penalty", "reasoning_effort", "seed", "temperature",
     "top_p", "verbosity"}
)  # fmt: skip
"""Parameters that a vendor may lack and the answer still be what was asked for: dropped and named."""

_ALWAYS = frozenset({"messages", "model", "stream"})
_sent: ContextVar[set[str] | None] = ContextVar("sent", default=None)
"""Addresses written to under the permit in force: one permit is one attempt. None where no permit is in force."""

_ADDRESS = re.compile(r"(?!GATEWAY_)\w+_(API_BASE|BASE_URL)|AWS_BEDROCK_RUNTIME_ENDPOINT|(WATSONX|WX|WML)_URL")
"""Variables that would lead a request elsewhere, past the checks of `base_url` and under another host's name."""
_PREFIXES = {
    "bedrock": ("AWS_BEDROCK",),
    "huggingface": ("HUGGINGFACE", "HF"),
    "vertex_ai": ("VERTEX", "VERTEXAI"),
    "watsonx": ("WATSONX", "WX", "WML"),
}
"""What the variables of a vendor begin with, where that is not its name."""
_ADDRESS_OPTIONS = frozenset({"api_base", "base_url"})

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)


@dataclass(frozen=True, slots=True)
class LiteLLMOptions:
    api_base: str | None = None
    connect_timeout_s: float = 5.0
    read_timeout_s: float = 600.0
    also: frozenset[str] = frozenset()
    """Further top-level fields of a request that may go out."""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """The operator's own arguments for the vendor: aws_region_name, vertex_project, api_version …"""


class LiteLLMRemote:
    """A `RemoteBackend` for zone remote. `spec.model` is litellm's name of the model: `anthropic/claude-…`."""

    def __init__(self, spec: BackendSpec, *, api_key: str | None = None, options: LiteLLMOptions | None = None) -> None:
        if spec.zone is not Zone.REMOTE:
            # litellm opens its own connections: nobody could check where they lead.
            raise ConfigurationError(f"backend {spec.name!r}: zone {spec.zone} needs wire 'openai', not litellm")
        self.spec = spec
        self._options = options or LiteLLMOptions()
        self._provider = spec.model.partition("/")[0]
        if named := sorted(_ADDRESS_OPTIONS & set(self._options.extra)):
            raise ConfigurationError(f"backend {spec.name!r}: options.{named[0]}: write the address into base_url")
        if self._options.api_base:
            validate_endpoint(spec.name, spec.zone, self._options.api_base)
        elif (variable := _leads_elsewhere(self._provider, os.environ)) is not None:
            raise ConfigurationError(
                f"backend {spec.name!r}: environment variable {variable!r} would lead its requests to another host: "
                "unset it, or write the address into base_url"
            )
        self._api_key = api_key
        self._litellm: Any = None
        self._loading = anyio.Lock()
        self._supported: frozenset[str] | None = None

    def __repr__(self) -> str:
        return f"LiteLLMRemote({self.spec.name!r}, model={self.spec.model!r})"

    async def warm(self) -> None:
        """Import litellm in a thread: two to three seconds that the event loop does not stand still for."""
        async with self._loading:
            if self._litellm is None:
                self._litellm, self._supported = await anyio.to_thread.run_sync(_load, self.spec.model)

    def prepare(self, request: Request) -> Outgoing:
        payload, dropped = sendable(request.body, self._options.also)
        if self._provider != "openai":
            as_system(payload["messages"])
        limit(payload, "max_tokens")
        left_out: set[str] = set()
        if self._supported is not None:
            left_out = set(payload) - self._supported - self._options.also - _ALWAYS
            self._refuse_or_drop(payload, left_out)
            if "store" in self._supported:
                payload["store"] = False
        payload["model"] = self.spec.model
        payload["stream"] = request.stream
        if request.stream:
            payload["stream_options"] = {"include_usage": True}
        return Outgoing(self.spec.name, payload, tuple(sorted({*dropped, *left_out})))

    async def stream(self, released: Released) -> AsyncGenerator[Pieces, None]:
        only_for(self.spec, released)
        await self.warm()
        answer = Answer(self.spec.name)
        try:
            response = await self._send(released)
            if not released.outgoing.payload["stream"]:
                yield [*_chunks(answer, response), *answer.end(complete=True)]
                return
            try:
                async for part in response:
                    if chunks := _chunks(answer, part):
                        yield chunks
            finally:
                await response.aclose()
            yield answer.end(complete=True)
        except GatewayError:
            raise
        except Exception as error:  # noqa: BLE001 - litellm raises its own, openai's, httpx's and plain ones; each has an answer in _told
            # From None: litellm's errors quote the upstream, which may quote the prompt.
            raise self._told(error) from None

    async def aclose(self) -> None:
        """litellm keeps its connections for the process; there is nothing of this backend's own to close."""

    def _refuse_or_drop(self, payload: dict[str, Any], left_out: set[str]) -> None:
        for name in sorted(left_out):
            if name not in HINTS:
                raise Unsupported(f"the vendor of backend {self.spec.name!r} does not take {name!r}", param=name)
            del payload[name]

    async def _send(self, released: Released) -> Any:
        permit = _sent.set(set())
        try:
            return await self._litellm.acompletion(**released.outgoing.payload, **self._arguments())
        finally:
            _sent.reset(permit)

    def _arguments(self) -> dict[str, Any]:
        options = self._options
        return {
            **options.extra,
            "api_key": self._api_key,
            "api_base": options.api_base,
            "timeout": httpx.Timeout(options.read_timeout_s, connect=options.connect_timeout_s),
            "num_retries": 0,
            "max_retries": 0,
            "drop_params": False,
            "no-log": True,
        }

    def _told(self, error: Exception) -> GatewayError:
        name = self.spec.name
        if any(isinstance(each, _NOT_SENT) for each in _chain(error)):
            return BackendUnreachable(f"backend {name!r} cannot be reached")
        exceptions = self._litellm.exceptions
        if isinstance(error, exceptions.ContextWindowExceededError):
            return ContextTooLong(f"backend {name!r} cannot hold that many tokens")
        if isinstance(error, exceptions.UnsupportedParamsError):
            return Unsupported(f"the vendor of backend {name!r} does not take one of the parameters")
        if isinstance(error, exceptions.ContentPolicyViolationError):
            return BackendRejected(f"backend {name!r} refused the content", status=400, code="content_filter")
        if isinstance(error, exceptions.Timeout | httpx.TimeoutException | TimeoutError):
            return BackendTimeout(f"backend {name!r} was silent for too long")
        if any(isinstance(each, httpx.TransportError) for each in _chain(error)):
            return BackendBroke(f"the connection to backend {name!r} broke")
        status = getattr(error, "status_code", None)
        if isinstance(status, int) and 300 <= status < 600:
            return from_status(name, status, _headers(error), None)
        return BackendBroke(f"backend {name!r} failed ({type(error).__name__})")


def _leads_elsewhere(provider: str, environment: Mapping[str, str]) -> str | None:
    """A variable of this vendor that holds an address. OPENAI_… counts for the many that speak its wire, too."""
    word = provider.upper().replace("-", "_")
    prefixes = tuple(f"{prefix}_" for prefix in (*_PREFIXES.get(provider, (word,)), "OPENAI"))
    return next((name for name in sorted(environment) if name.startswith(prefixes) and _is_address(name)), None)


def _is_address(name: str) -> bool:
    return _ADDRESS.fullmatch(name) is not None


def _chunks(answer: Answer, part: Any) -> list[Chunk]:
    chunks: list[Chunk] = []
    answer.add(part.model_dump(exclude_none=True), chunks)
    return chunks


def _chain(error: BaseException | None) -> list[BaseException]:
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    return chain


def _headers(error: Exception) -> Mapping[str, str]:
    """The vendor's headers. litellm's own errors often carry an invented response; the real one is up the chain."""
    for each in _chain(error):
        response = getattr(each, "response", None)
        if headers := getattr(response, "headers", None):
            return httpx.Headers(headers)
    return {}


def _load(model: str) -> tuple[Any, frozenset[str] | None]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # do not fetch the price list
    os.environ["LITELLM_MODE"] = "PRODUCTION"  # do not read a .env file
    for variable in [name for name in os.environ if _is_address(name)]:
        del os.environ[variable]  # those of other vendors: whatever litellm makes of them, it does not see them
    litellm = importlib.import_module("litellm")
    _silence(litellm)
    _reach_vendors_our_way(litellm)
    try:
        litellm.get_llm_provider(model=model)  # the call below has an answer for vendors that do not exist, too
        supported = litellm.get_supported_openai_params(model=model)
    except Exception as error:
        raise BackendError(f"litellm does not know model {model!r}", code="upstream_unknown_model") from error
    return litellm, None if supported is None else frozenset(supported)


def _silence(litellm: Any) -> None:
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.turn_off_message_logging = True
    litellm.drop_params = False
    litellm.modify_params = False
    litellm.num_retries = 0
    for callbacks in ("callbacks", "input_callback", "success_callback", "failure_callback", "service_callback"):
        setattr(litellm, callbacks, [])
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy"):
        logger = logging.getLogger(name)
        logger.handlers = [logging.NullHandler()]
        logger.propagate = False
        logger.setLevel(logging.CRITICAL + 1)
    # The client that litellm uses for OpenAI writes whole requests at level DEBUG.
    logging.getLogger("openai").setLevel(logging.WARNING)


def _reach_vendors_our_way(litellm: Any) -> None:
    """Every client that litellm opens trusts the system's store, obeys the proxy variables, follows no redirect."""
    tls = tls_context(None)

    def open_client(
        _: Any = None, timeout: Any = None, event_hooks: Any = None, ssl_verify: Any = None, shared_session: Any = None
    ) -> httpx.AsyncClient:
        hooks = {"request": [_guarded, _once], "response": []}
        for moment, more in (event_hooks or {}).items():
            hooks[moment] = [*hooks[moment], *more]
        return httpx.AsyncClient(verify=tls, timeout=timeout, event_hooks=hooks, follow_redirects=False)

    handlers = importlib.import_module("litellm.llms.custom_httpx.http_handler")
    handlers.AsyncHTTPHandler.create_client = open_client
    openai_clients = importlib.import_module("litellm.llms.openai.common_utils")
    openai_clients.BaseOpenAILLM._get_async_http_client = staticmethod(lambda shared_session=None: open_client())


async def _guarded(request: httpx.Request) -> None:
    """However litellm came by the address: no plain http beyond this host."""
    if request.url.scheme != "https" and not (request.url.host == "localhost" or inside(request.url.host, LOOPBACK)):
        raise httpx.UnsupportedProtocol("not sent: no https")


async def _once(request: httpx.Request) -> None:
    """Stop a second try under one permit (litellm makes one after a cut connection) and any without a permit."""
    if request.method in {"GET", "HEAD"}:
        return
    sent = _sent.get()
    if sent is None or str(request.url) in sent:
        raise httpx.WriteError("not sent: no permit for another attempt")
    sent.add(str(request.url))

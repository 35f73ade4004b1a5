"""The ASGI application: which path goes where, and what every answer has in common."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import orjson
from starlette.types import Receive, Scope, Send
from structlog.contextvars import bind_contextvars

from gateway.api.auth import Auth
from gateway.api.chat import Chat
from gateway.api.cors import Cors
from gateway.api.errors import HTTPError
from gateway.api.health import Health
from gateway.api.http import Answer, Headers, headers_of, query_of
from gateway.api.models import Models
from gateway.api.openapi import document
from gateway.api.route import Route
from gateway.core.errors import GatewayError

OPERATOR = "operator"
"""The role of a key that may read what is counted of every tenant."""
_LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_MODEL_PREFIX = "/models/"


@dataclass(frozen=True, slots=True)
class Endpoints:
    chat: Chat
    route: Route
    models: Models
    health: Health
    metrics: Callable[[str | None], tuple[bytes, str]]
    """(tenant) → (body, content type), without what is told of other tenants; None = of all of them."""


class App:
    """Serves `/v1/…` and the same paths without `/v1`, with or without a trailing slash."""

    def __init__(
        self,
        endpoints: Endpoints,
        auth: Auth,
        cors: Cors,
        *,
        hosts: Sequence[str] | None,
        log_failure: Callable[[str, Exception], None],
    ) -> None:
        """`hosts` = host names accepted beside loopback ones; None = any (a key guards the gateway)."""
        self._endpoints = endpoints
        self._auth = auth
        self._cors = cors
        self._hosts = None if hosts is None else _LOOPBACK_HOSTS | {host.lower() for host in hosts}
        self._log_failure = log_failure
        self._openapi = orjson.dumps(document())
        self._gets: dict[str, Callable[[Scope, Headers, Answer], Awaitable[None]]] = {
            "/models": self._list_models,
            "/healthz": self._alive,
            "/health": self._alive,
            "/readyz": self._ready,
            "/metrics": self._metrics,
            "/openapi.json": self._describe,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # websockets are closed by the server, the lifespan belongs to whoever runs the app
        answer = Answer(send, "req_" + secrets.token_hex(12))
        bind_contextvars(request_id=answer.request_id)  # the server runs each request in a context of its own
        try:
            headers = headers_of(scope)
            answer.cors = self._cors.headers(headers)
            self._admit(headers)
            await self._route(scope, headers, receive, answer)
        except Exception as error:  # noqa: BLE001 - the last net: whatever broke, the client gets OpenAI's shape
            if not isinstance(error, GatewayError | HTTPError):
                self._log_failure(answer.request_id, error)
            if not answer.started:
                await answer.error(error)

    def _admit(self, headers: Headers) -> None:
        """Without keys, only pages and names of this machine get in: another site's script must not use the gateway."""
        if self._hosts is not None:
            host = headers.get(b"host", b"").decode("latin-1").lower()
            name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
            if name not in self._hosts:
                raise HTTPError(
                    421, "this host name is not served here; name it in server.allowed_hosts", code="unknown_host"
                )
        origin = headers.get(b"origin")
        if origin is not None and not self._cors.admits(origin):
            raise HTTPError(
                403, "this web page's origin may not call; name it in server.cors_origins", code="origin_not_allowed"
            )

    async def _route(self, scope: Scope, headers: Headers, receive: Receive, answer: Answer) -> None:
        path, method = _canonical(scope["path"]), scope["method"]
        if method == "OPTIONS":
            answer.cors = self._cors.preflight(headers)
            await answer.start(204, [])
            await answer.body(b"")
        elif path == "/chat/completions":
            _allow(method, "POST")
            await self._endpoints.chat(headers, receive, answer)
        elif path == "/route":
            _allow(method, "POST")
            await self._endpoints.route(headers, receive, answer)
        elif (get := self._gets.get(path)) is not None:
            _allow(method, "GET")
            await get(scope, headers, answer)
        elif path.startswith(_MODEL_PREFIX):
            _allow(method, "GET")
            self._auth.identify(headers)
            await answer.json(self._endpoints.models.get(path[len(_MODEL_PREFIX) :]))
        else:
            raise HTTPError(
                404,
                "there is nothing at this path; /v1/chat/completions and /v1/models exist, /openapi.json lists all",
                code="unknown_url",
            )

    async def _list_models(self, scope: Scope, headers: Headers, answer: Answer) -> None:
        self._auth.identify(headers)
        await answer.json(self._endpoints.models.list())

    async def _alive(self, scope: Scope, headers: Headers, answer: Answer) -> None:
        await answer.json({"status": "ok"})

    async def _ready(self, scope: Scope, headers: Headers, answer: Answer) -> None:
        known = self._auth.knows(headers)
        status, body = self._endpoints.health.ready(query_of(scope).get("zone"), in_full=known)
        await answer.json(body, status=status)

    async def _metrics(self, scope: Scope, headers: Headers, answer: Answer) -> None:
        principal = self._auth.identify(headers)
        of_all = self._auth.open or OPERATOR in principal.roles
        await answer.bytes(*self._endpoints.metrics(None if of_all else principal.tenant))

    async def _describe(self, scope: Scope, headers: Headers, answer: Answer) -> None:
        await answer.bytes(self._openapi, "application/json")


def _canonical(path: str) -> str:
    path = path.rstrip("/") or "/"
    return path.removeprefix("/v1") if path.startswith("/v1/") else path


def _allow(method: str, allowed: str) -> None:
    if method != allowed and not (method == "HEAD" and allowed == "GET"):
        raise HTTPError(405, f"this path takes {allowed}", code="method_not_allowed", allow=allowed)

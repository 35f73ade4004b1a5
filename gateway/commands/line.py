"""A gateway opened for a command that asks through it: the same line as every request, with records of its own."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from gateway.calibrate.journal import Answer
from gateway.core.errors import BackendError, BadRequest
from gateway.core.ports import LocalBackend
from gateway.core.types import Json, Principal
from gateway.settings import Settings
from gateway.settings.scoring import Scoring
from gateway.settings.sections import Audit, Auth, Cache, Key
from gateway.wiring import Gateway, open_gateway
from gateway.wiring.places import audit_places

FOLDER = "calibrated"
"""Beside the audit folder: a gateway that serves meanwhile holds its own log."""
_TIMEOUT_S = 660
_KEPT = "policy"
_STAYS = frozenset({"model_not_permitted", "local_model_unfit", "egress_denied", "unsupported_content"})
"""Codes of a request that may not go there."""


@dataclass(frozen=True, slots=True)
class Way:
    """How one backend is asked."""

    client: httpx.AsyncClient
    backend: str

    async def __call__(self, body: dict[str, Json]) -> Answer:
        """Raises BackendError for what may pass, BadRequest for what will not.

        What the policy keeps on this host is an answer too, without a text: it was not asked there.
        """
        response = await self.client.post("/v1/chat/completions", json={**body, "model": self.backend})
        if response.status_code == 200:
            return self._told(response)
        if response.json()["error"]["code"] in _STAYS:
            return Answer("", kept=_KEPT)
        if response.status_code < 500 and response.status_code != 429:
            raise BadRequest(f"backend {self.backend!r} does not take such a request (status {response.status_code})")
        raise _failed(self.backend, response)

    def _told(self, response: httpx.Response) -> Answer:
        if response.headers["x-gateway-backend"] != self.backend:
            if "instead of" in response.headers.get("x-gateway-notice", ""):  # it may go there, and there is down
                raise BackendError(f"backend {self.backend!r} did not answer")
            return Answer("", kept=_KEPT)
        if response.headers.get("x-gateway-transform", "").startswith("rewrite"):
            return Answer("", kept="rewritten")  # another question was answered there
        answer = response.json()
        usage = answer.get("usage") or {}
        text = answer["choices"][0]["message"].get("content") or ""
        return Answer(text, usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0))


@dataclass(frozen=True, slots=True)
class Open:
    gateway: Gateway
    client: httpx.AsyncClient
    audit: Path

    def to(self, backend: str) -> Way:
        return Way(self.client, backend)


@asynccontextmanager
async def open_line(
    settings: Settings, folder: Path, policy: Path, caller: Principal, local: LocalBackend
) -> AsyncGenerator[Open, None]:
    """The gateway as configured, for one caller. Raises ConfigurationError."""
    token = secrets.token_urlsafe(24)
    changed, records = _changed(settings, folder, policy, _key(caller, token))
    async with open_gateway(changed, folder, local=local, remembers=False) as gateway:
        transport = httpx.ASGITransport(app=gateway.app, raise_app_exceptions=False)
        headers = {"authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://127.0.0.1", timeout=_TIMEOUT_S, headers=headers
        ) as client:
            yield Open(gateway, client, records)


def _changed(settings: Settings, folder: Path, policy: Path, key: Key) -> tuple[Settings, Path]:
    """Policy, detectors and backends stay; what others share with the serving gateway is left to it."""
    audit, keys = audit_places(settings, folder)
    records = (audit.parent / FOLDER).resolve()
    changed = {
        "server": settings.server.model_copy(update={"headers": True, "tls": None, "echo_model": "asked"}),
        "auth": Auth(mode="keys", keys=(key,)),
        "policy": settings.policy.model_copy(update={"path": policy.resolve(), "watch_s": 0}),
        "cache": Cache(url="off://"),
        "taint": settings.taint.model_copy(update={"url": None}),
        "audit": Audit(dir=records, keys_dir=keys.resolve(), segment_mb=settings.audit.segment_mb),
        "shadow": settings.shadow.model_copy(update={"mode": "off"}),
        "score": Scoring(),  # what is in force may be for another model: that is why this one is measured
    }
    return settings.model_copy(update=changed), records


def _key(caller: Principal, token: str) -> Key:
    return Key(
        name="calibrate",
        hash="sha256:" + hashlib.sha256(token.encode()).hexdigest(),
        tenant=caller.tenant,
        roles=caller.roles,
        tags=caller.tags,
        public=caller.public,
        purpose=caller.purpose,
    )


def _failed(backend: str, response: httpx.Response) -> BackendError:
    after = response.headers.get("retry-after", "")
    return BackendError(
        f"backend {backend!r} did not answer (status {response.status_code})",
        status=response.status_code,
        retry_after_s=float(after) if after.isdigit() else None,
    )

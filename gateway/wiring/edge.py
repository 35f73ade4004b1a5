"""The HTTP application as configured: who may call, which names mean what, what every answer carries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.api.app import App, Endpoints
from gateway.api.auth import Auth, KnownKey
from gateway.api.chat import Chat, ChatOptions
from gateway.api.cors import Cors
from gateway.api.health import Health
from gateway.api.models import Models
from gateway.api.route import Route
from gateway.core.naming import LOCAL, meant
from gateway.core.parts import Parts
from gateway.core.types import BackendSpec, Principal
from gateway.pipeline import Pipeline
from gateway.preview import Preview
from gateway.settings import Settings
from gateway.telemetry import Metrics
from gateway.wiring.backends import names

BUILT = 1_790_000_000
"""`created` of every model listed: clients want a date, and a constant one keeps the answer cacheable."""


def build_app(
    settings: Settings,
    parts: Parts,
    specs: Sequence[BackendSpec],
    metrics: Metrics,
    health: Health,
    log: Any,
) -> App:
    """`specs` begins with the local one."""
    server = settings.server
    auth = Auth(None if settings.auth.mode == "none" else _known_keys(settings))
    meaning, aliases = names(settings, specs[0], specs[1:]), settings.aliases
    owners = {spec.name: str(spec.zone) for spec in specs}
    owners |= {name: LOCAL for name, means in meaning.items() if meant(means)[0] == LOCAL and name not in aliases}

    def log_failure(request_id: str, error: Exception) -> None:
        log.error("request_failed", request_id=request_id, exc_info=error)

    chat = Chat(Pipeline(parts), auth, _options(settings, meaning), log_failure)
    metrics.watch("in_flight", "Requests being answered now", lambda: chat.in_flight)
    return App(
        Endpoints(
            chat=chat,
            route=Route(chat, Preview(parts)),
            models=Models({name: owners.get(name, "gateway") for name in meaning}, created=BUILT),
            health=health,
            metrics=metrics.render,
        ),
        auth,
        Cors(None if settings.auth.mode == "keys" and not server.cors_origins else server.cors_origins),
        hosts=(*server.allowed_hosts, server.host) if auth.open else None,
        log_failure=log_failure,
    )


def _options(settings: Settings, meaning: dict[str, str]) -> ChatOptions:
    server = settings.server
    return ChatOptions(
        body_limit=int(server.body_limit_mb * 1_048_576),
        names=meaning,
        headers=server.headers,
        echo_served=server.echo_model == "served",
        ping_s=server.ping_s,
        max_in_flight=server.max_in_flight,
    )


def _known_keys(settings: Settings) -> list[KnownKey]:
    return [
        KnownKey(
            key.hash.removeprefix("sha256:"),
            Principal(key.tenant, key.name, key.roles, key.tags, key.public, key.purpose),
        )
        for key in settings.auth.keys
    ]

"""Backends as configured → objects that answer, and the labelled stand-in where a vendor's key is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from pydantic import SecretStr

from gateway.backends.canned import CannedRemote
from gateway.backends.endpoint import validate_endpoint
from gateway.backends.openai_wire import OpenAIWire, WireOptions
from gateway.core.errors import ConfigurationError
from gateway.core.naming import LOCAL, with_adapter
from gateway.core.ports import RemoteBackend
from gateway.core.types import BackendSpec
from gateway.settings import Backend, Settings, read_key

DEFAULT = Backend(
    name="large",
    zone="remote",
    wire="openai",
    base_url="https://api.openai.com/v1",
    model="gpt-4.1",
    api_key_env="OPENAI_API_KEY",
    region="us",
)
"""What stands outside when the configuration names nothing."""


@dataclass(frozen=True, slots=True)
class Remotes:
    backends: dict[str, RemoteBackend]
    stand_ins: tuple[str, ...]
    """Names of the backends that only say what would have been sent, because their key is missing."""
    litellm: tuple[str, ...]
    """Names of the backends that need litellm imported before they can serve."""


def configured(settings: Settings) -> tuple[Backend, ...]:
    return (DEFAULT,) if settings.backends is None else settings.backends


def build_remotes(settings: Settings, folder: Path) -> Remotes:
    """Everything off this host. Raises ConfigurationError."""
    backends: dict[str, RemoteBackend] = {}
    stand_ins: list[str] = []
    for backend in configured(settings):
        key = read_key(backend, folder)
        spec = spec_of(backend)
        if backend.wire == "canned" or (backend.api_key_env and key is None):
            if backend.wire != "canned":
                _may_stand_in(backend, settings)
            stand_ins.append(backend.name)
            backends[backend.name] = CannedRemote(replace(spec, wire="canned"), also=backend.also)
        else:
            backends[backend.name] = _real(backend, spec, key, folder)
    litellm = tuple(backend.name for backend in configured(settings) if backend.wire == "litellm")
    return Remotes(backends, tuple(stand_ins), tuple(name for name in litellm if name not in stand_ins))


def _may_stand_in(backend: Backend, settings: Settings) -> None:
    if not settings.server.is_loopback:
        raise ConfigurationError(
            f"backend {backend.name!r}: environment variable {backend.api_key_env!r} is not set; "
            "set it, or take the backend out of the configuration"
        )


def _real(backend: Backend, spec: BackendSpec, key: SecretStr | None, folder: Path) -> RemoteBackend:
    plain_key = key.get_secret_value() if key else None
    if backend.wire == "litellm":
        from gateway.backends.litellm_remote import LiteLLMOptions, LiteLLMRemote

        how = LiteLLMOptions(
            api_base=backend.base_url,
            connect_timeout_s=backend.connect_timeout_s,
            read_timeout_s=backend.read_timeout_s,
            also=backend.also,
            extra=dict(backend.options),
        )
        return LiteLLMRemote(spec, api_key=plain_key, options=how)
    endpoint = validate_endpoint(
        backend.name,
        backend.zone_,
        backend.base_url or "",
        plaintext=backend.plaintext == "accepted",
        ca_file=folder / backend.ca_file if backend.ca_file else None,
        proxy=backend.proxy,
    )
    options = WireOptions(
        connect_timeout_s=backend.connect_timeout_s,
        read_timeout_s=backend.read_timeout_s,
        usage_in_stream=backend.usage_in_stream,
        send_store=None if backend.send_store else False,
        max_tokens_field=None if backend.max_tokens_field == "auto" else backend.max_tokens_field,
        also=backend.also,
    )
    return OpenAIWire(spec, endpoint, api_key=plain_key, options=options)


def spec_of(backend: Backend) -> BackendSpec:
    host = (urlsplit(backend.base_url).hostname or "") if backend.base_url else ""
    return BackendSpec(
        name=backend.name,
        zone=backend.zone_,
        wire=backend.wire,
        model=backend.model,
        host=host or (backend.model.partition("/")[0] if backend.wire == "litellm" else ""),
        region=backend.region,
        retention=backend.retention,
        training=backend.training,
        context=backend.context,
        images=backend.images,
        audio=backend.audio,
        files=backend.files,
        tools=backend.tools,
        schema=backend.schema_,
        logprobs=backend.logprobs,
        languages=backend.languages,
        digest=_digest(backend),
    )


def _digest(backend: Backend) -> str:
    """Of the whole definition as the operator wrote it; keys are named there, not held."""
    definition = backend.model_dump(mode="json", by_alias=True)
    definition |= {"languages": sorted(backend.languages), "also": sorted(backend.also)}
    return hashlib.sha256(orjson.dumps(definition, option=orjson.OPT_SORT_KEYS)).hexdigest()


def names(settings: Settings, local: BackendSpec, remotes: Sequence[BackendSpec]) -> dict[str, str]:
    """Every model name a client may send → what it means: 'auto', 'local', 'local:ADAPTER' or a backend's name.

    Raises ConfigurationError for an alias that leads nowhere, and for one that would give a name another meaning:
    who says `local` must get local.
    """
    known = {"auto": "auto", LOCAL: LOCAL, local.model: LOCAL}
    for name in local.adapters:
        # The model's own name too, since that is what model lists of other servers show.
        known |= {with_adapter(model, name): with_adapter(LOCAL, name) for model in (LOCAL, local.model)}
    for spec in remotes:
        if spec.name in known:
            raise ConfigurationError(f"backend {spec.name!r} has the local model's name; choose another")
        known[spec.name] = spec.name
    aliases = {}
    for alias, target in settings.aliases.items():
        if alias in known:
            raise ConfigurationError(f"alias {alias!r} is a name that means something already; choose another")
        if target not in known:
            raise ConfigurationError(
                f"alias {alias!r} points to {target!r}, which is none of {', '.join(map(repr, known))}"
            )
        aliases[alias] = known[target]
    return {**known, **aliases}

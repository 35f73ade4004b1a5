"""The backends that a configuration means, without opening any: for commands that only decide."""

from __future__ import annotations

from pathlib import Path

from gateway.core.types import BackendSpec, Zone
from gateway.engine.catalogue import KNOWN, listing
from gateway.settings import Settings
from gateway.wiring.backends import configured, spec_of


def planned_specs(settings: Settings) -> list[BackendSpec]:
    """The local model first, as the gateway would serve it, then everything off this host."""
    return [_local(settings), *(spec_of(backend) for backend in configured(settings))]


def _local(settings: Settings) -> BackendSpec:
    local = settings.local
    if local.engine == "off":
        return BackendSpec("local", Zone.LOCAL, "off", "local")
    if local.engine == "canned":
        return canned_spec(settings)
    return BackendSpec(
        name="local",
        zone=Zone.LOCAL,
        wire="llama",
        model=_id(local.model),
        context=local.context,
        images=False,
        tools=False,
        languages=_languages(local.model) if local.languages is None else local.languages,
    )


def _id(model: str) -> str:
    """The name that the engine gives a model; one named by its file has the file's."""
    path = Path(model)
    return path.stem.lower() if path.suffix == ".gguf" or len(path.parts) > 1 else model


def canned_spec(settings: Settings) -> BackendSpec:
    """The canned text claims no ability, so that a request that needs one is treated as the real engine would."""
    return BackendSpec(
        "local",
        Zone.LOCAL,
        "canned",
        settings.local.model,
        context=settings.local.context,
        images=False,
        tools=False,
        schema=False,
        logprobs=False,
        languages=settings.local.languages or frozenset(),
        digest="canned",
    )


def _languages(model: str) -> frozenset[str]:
    if model in KNOWN:
        return KNOWN[model].languages
    return next((entry.languages for entry in listing() if entry.id == model), frozenset())

"""The backends that a configuration means, without opening any: for commands that only decide."""

from __future__ import annotations

from pathlib import Path

from gateway.core.errors import ConfigurationError
from gateway.core.types import BackendSpec, Zone
from gateway.engine.files.catalogue import KNOWN, find, listing
from gateway.engine.local import makeshift
from gateway.settings import Settings
from gateway.wiring.backends import configured, spec_of


def planned_specs(settings: Settings, folder: Path) -> list[BackendSpec]:
    """The local model first, as the gateway would serve it, then everything off this host."""
    return [_local(settings, folder), *(spec_of(backend) for backend in configured(settings))]


def _local(settings: Settings, folder: Path) -> BackendSpec:
    local = settings.local
    if local.engine == "off":
        return BackendSpec("local", Zone.LOCAL, "off", "local")
    if local.engine == "canned":
        return canned_spec(settings)
    tools = _tools(local.model, folder)
    return BackendSpec(
        name="local",
        zone=Zone.LOCAL,
        wire="llama",
        model=_id(local.model),
        context=local.context,
        images=False,
        tools=tools,
        makeshift=makeshift(tools, local.context_overflow),
        languages=_languages(local.model) if local.languages is None else local.languages,
        adapters=adapter_names(settings),
    )


def _id(model: str) -> str:
    """The name that the engine gives a model; one named by its file has the file's."""
    path = Path(model)
    return path.stem.lower() if path.suffix == ".gguf" or len(path.parts) > 1 else model


def canned_spec(settings: Settings) -> BackendSpec:
    """The canned text claims no ability: a request that needs one goes where there is one, or is refused by name."""
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
        adapters=adapter_names(settings),
        digest="canned",
    )


def adapter_names(settings: Settings) -> tuple[str, ...]:
    return tuple(adapter.name for adapter in settings.local.adapters)


def _tools(model: str, folder: Path) -> bool:
    try:
        return find(model, base=folder).tools
    except ConfigurationError:  # not on this disk
        return False


def _languages(model: str) -> frozenset[str]:
    if model in KNOWN:
        return KNOWN[model].languages
    return next((entry.languages for entry in listing() if entry.id == model), frozenset())

"""GET /v1/models: the names a client may send."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from gateway.core.errors import UnknownModel
from gateway.core.types import Json


class Models:
    """`names` → who owns it: 'gateway' for auto and aliases, otherwise the zone that serves it."""

    def __init__(self, names: Mapping[str, str], created: int) -> None:
        self._models = {
            name: {"id": name, "object": "model", "created": created, "owned_by": owner}
            for name, owner in names.items()
        }

    def list(self) -> Json:
        return {"object": "list", "data": [*self._models.values()]}

    def get(self, name: str) -> Json:
        if name not in self._models:
            raise unknown_model(name, self._models)
        return self._models[name]


def unknown_model(asked: str, names: Collection[str]) -> UnknownModel:
    """The error for a name that nobody has. One that asks a known model for an adapter is told which there are."""
    model, _, adapter = asked.rpartition(":")
    adapters = sorted(name.removeprefix(f"{model}:") for name in names if name.startswith(f"{model}:"))
    if model in names and adapters:
        return UnknownModel(f"model {model!r} has no adapter {adapter!r}; known: {', '.join(adapters)}")
    if model in names:
        return UnknownModel(f"model {model!r} has no adapters, so not {adapter!r} either; ask for {model!r}")
    way_out = "GET /v1/models lists what is, and the operator can add it to aliases"
    return UnknownModel(f"model {asked!r} is not offered here; {way_out}")

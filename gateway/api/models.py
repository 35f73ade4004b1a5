"""GET /v1/models: the names a client may send."""

from __future__ import annotations

from collections.abc import Mapping

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
            raise UnknownModel(f"model {name!r} is not offered here; GET /v1/models lists what is")
        return self._models[name]

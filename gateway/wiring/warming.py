"""Backends that need a while before they can serve: litellm takes seconds to import, beside the first requests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.core.errors import GatewayError
from gateway.core.ports import RemoteBackend


class Warming:
    """Who is not ready yet, and why. What fails here takes this backend out of readiness and nothing else down."""

    def __init__(self, names: Sequence[str], log: Any) -> None:
        self._log = log
        self._problems = dict.fromkeys(names, "litellm is being imported")

    def problem(self, name: str) -> str | None:
        return self._problems.get(name)

    async def warm(self, backend: RemoteBackend) -> None:
        name, warm = backend.spec.name, getattr(backend, "warm", None)
        try:
            if warm is not None:
                await warm()
        except GatewayError as error:
            self._problems[name] = str(error)
            self._log.error("backend_not_ready", backend=name, problem=str(error))
        except Exception as error:  # noqa: BLE001 - a vendor library may fail in any way; the other backends go on
            self._problems[name] = f"litellm cannot be imported ({type(error).__name__})"
            self._log.error("backend_not_ready", backend=name, exc_info=error)
        else:
            self._problems.pop(name, None)

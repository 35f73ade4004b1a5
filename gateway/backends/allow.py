"""The one way a field gets into an outgoing request: it is on a list. What is not is named."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from gateway.core.errors import Unsupported
from gateway.core.types import Json

_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z")


class Dropped:
    """Collects the names of what stays behind. A name is the client's text too: an odd one is not repeated."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def add(self, prefix: str, name: str) -> None:
        self._names.add(prefix + (name if _PLAIN_NAME.match(name) else "?"))

    def keep(self, source: Mapping[str, Json], known: Collection[str], prefix: str) -> dict[str, Json]:
        """The known, non-null part of `source`; the rest is named under `prefix`."""
        kept = {key: value for key, value in source.items() if key in known and value is not None}
        if len(kept) != len(source):
            for key, value in source.items():
                if value is not None and key not in kept:
                    self.add(prefix, key)
        return kept

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._names))


def an_object(value: Json, path: str) -> Mapping[str, Json]:
    if not isinstance(value, Mapping):
        raise Unsupported(f"{path} must be an object", param=path)
    return value


def a_list(value: Json, path: str) -> list[Json]:
    if not isinstance(value, list):
        raise Unsupported(f"{path} must be a list", param=path)
    return value

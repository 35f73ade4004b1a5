"""Knows the values that documentation prints, so that a policy can let them pass."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_FICTION = re.compile(r"\+1\d{3}5550[01]\d\d")
"""North American numbers 555-0100 to 555-0199 (and 555-00xx) are set aside for fiction."""


_SAMPLE_PASSWORD = re.compile(
    r"(?i)(?:my|your|the)?[-_]?(?:pass(?:word|wd)?|pwd|pw|secret|admin|guest|changeme)\d{0,3}"
)
"""What documentation writes for a password. A real one is a secret at whatever host it stands."""


class Reserved:
    def __init__(self, tables: Mapping[str, Any]) -> None:
        self._values = {kind: frozenset(values) for kind, values in tables["values"].items()}
        self._suffixes = {kind: tuple(values) for kind, values in tables["suffixes"].items()}
        self._contains = {kind: tuple(values) for kind, values in tables["contains"].items()}
        self._prefixes = {kind: tuple(values) for kind, values in tables["prefixes"].items()}

    def __call__(self, kind: str, value: str) -> bool:
        """Whether `value`, normalised by the kind's check, is an example and nobody's."""
        return (
            value in self._values.get(kind, ())
            or value.startswith(self._prefixes.get(kind, ("\0",)))
            or any(part in value for part in self._contains.get(kind, ()))
            or (kind == "phone" and _FICTION.fullmatch(value) is not None)
            or (kind in self._suffixes and self._at(value, self._suffixes[kind]) and _sample(kind, value))
        )

    @staticmethod
    def _at(value: str, suffixes: tuple[str, ...]) -> bool:
        host = re.split(r"[/?#:]", value.rpartition("@")[2].lower(), maxsplit=1)[0]
        return any(
            host == suffix or host.endswith(suffix if suffix.startswith(".") else "." + suffix) for suffix in suffixes
        )


def _sample(kind: str, value: str) -> bool:
    if kind != "credentialed_url":
        return True
    password = value.partition("://")[2].rpartition("@")[0].rpartition(":")[2]
    return _SAMPLE_PASSWORD.fullmatch(password) is not None

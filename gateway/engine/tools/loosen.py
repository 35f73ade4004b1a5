"""As much of a tool's schema as can be enforced, where the client did not ask for all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.core.errors import Unsupported
from gateway.engine.schemas.schema import JSON_OBJECT, plain_schema

_KEPT = frozenset({"type", "enum", "const", "required", "$ref"})
_MAPS = frozenset({"properties", "$defs", "definitions"})
_UNIONS = frozenset({"anyOf", "oneOf"})
_PARTS = frozenset({"items", "additionalProperties"})
_DEPTH = 32


def loosened(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A plain schema that lets through all that `schema` does; any object where nothing better can be had."""
    for candidate in (schema, _shape(schema, 0)):
        try:
            plain = plain_schema(candidate)
        except Unsupported:
            continue
        if plain.get("type") == "object":
            return plain
    return JSON_OBJECT


def _shape(schema: Any, depth: int) -> Any:
    """The schema without what only narrows it: bounds, patterns, conditions. Which arguments there are stays."""
    if not isinstance(schema, Mapping) or depth > _DEPTH:
        return schema
    kept: dict[str, Any] = {}
    for word, value in schema.items():
        if word in _MAPS and isinstance(value, Mapping):
            kept[word] = {name: _shape(part, depth + 1) for name, part in value.items()}
        elif word in _UNIONS and isinstance(value, list):
            kept["anyOf"] = [_shape(part, depth + 1) for part in value]
        elif word in _PARTS:
            kept[word] = _shape(value, depth + 1)
        elif word in _KEPT:
            kept[word] = value
    return kept

"""A client's JSON schema in the plain form that can be turned into a grammar, or a refusal that names the keyword.

The converter (llama.cpp's, in Python) passes over keywords that it does not know, so an answer could break the schema
unseen; it can be asked to write gigabytes; and it takes two definitions whose paths end alike for one. So a
schema is rebuilt here from known keywords alone, within limits, with definitions renamed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.core.errors import Unsupported

JSON_OBJECT: Mapping[str, Any] = {"type": "object"}

_NOTES = frozenset(
    {"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly", "discriminator"}
    | {"$schema", "$id", "$comment", "$defs", "definitions", "format"}
)
"""Keywords that constrain nothing here. `format` is a note by the standard; the known ones are kept all the same."""
_FORMATS = frozenset({"uuid", "date", "time", "date-time"})
_SHAPE = frozenset({"type", "enum", "const", "anyOf", "oneOf", "allOf", "$ref"})
_PER_TYPE = {
    "object": frozenset({"properties", "required", "additionalProperties"}),
    "array": frozenset({"items", "minItems", "maxItems"}),
    "string": frozenset({"minLength", "maxLength"}),
    "number": frozenset[str](),
    "integer": frozenset[str](),
    "boolean": frozenset[str](),
    "null": frozenset[str](),
}
_MOST = {"minItems": 100, "maxItems": 100, "minLength": 512, "maxLength": 512}
_DEPTH = 24
_NODES = 2000


def plain_schema(schema: Any) -> dict[str, Any]:
    """The same schema in plain form. Raises Unsupported with param response_format."""
    try:
        return _Plain(schema).whole()
    except (AttributeError, KeyError, TypeError, ValueError) as error:  # a keyword's value of the wrong kind
        raise _unsupported("it is not a valid schema") from error


class _Plain:
    def __init__(self, schema: Any) -> None:
        if not isinstance(schema, Mapping):
            raise _unsupported("the schema is not an object")
        self._schema = schema
        self._nodes = 0
        self._names: dict[str, str] = {}
        for place in ("$defs", "definitions"):
            for name in schema.get(place) or ():
                self._names[f"#/{place}/{name}"] = f"gateway-definition-{len(self._names)}"

    def whole(self) -> dict[str, Any]:
        plain = self._visit(self._schema, 0)
        definitions = {}
        for place in ("$defs", "definitions"):
            for name, definition in (self._schema.get(place) or {}).items():
                definitions[self._names[f"#/{place}/{name}"]] = self._visit(definition, 1)
        return {**plain, "$defs": definitions} if definitions else plain

    def _visit(self, schema: Any, depth: int) -> dict[str, Any]:
        self._nodes += 1
        if schema is True or schema == {}:
            return {"anyOf": [{"type": kind} for kind in _PER_TYPE if kind != "integer"]}
        if not isinstance(schema, Mapping):
            raise _unsupported("a part of the schema is not an object")
        if depth > _DEPTH or self._nodes > _NODES:
            raise _unsupported(f"the schema is deeper than {_DEPTH} or larger than {_NODES} parts")
        self._check(schema)
        if "$ref" in schema:
            return {"$ref": self._ref(schema["$ref"])}
        if "const" in schema:
            return {"const": schema["const"]}
        if "enum" in schema:
            return {"enum": _full_list(schema["enum"], "enum")}
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return {"anyOf": [self._visit(part, depth + 1) for part in _full_list(schema[union], union)]}
        if "allOf" in schema:
            return self._visit(_full_list(schema["allOf"], "allOf")[0], depth + 1)
        return self._typed(schema, depth)

    def _check(self, schema: Mapping[str, Any]) -> None:
        allowed = _SHAPE | _NOTES | frozenset[str]().union(*_PER_TYPE.values())
        strange = sorted(set(schema) - allowed)
        if strange:
            raise _unsupported(f"the schema keyword {strange[0]!r} cannot be enforced")
        shapes = [name for name in ("$ref", "const", "enum", "anyOf", "oneOf", "allOf") if name in schema]
        beside = set(schema) - _NOTES - {"type"} - set(shapes)
        if len(shapes) > 1 or (shapes and beside) or len(schema.get("allOf", [0])) != 1:
            raise _unsupported("the schema combines constraints that cannot be enforced together")

    def _ref(self, ref: Any) -> str:
        if not isinstance(ref, str) or ref not in self._names:
            raise _unsupported("a $ref that does not name an entry of the schema's own $defs")
        return f"#/$defs/{self._names[ref]}"

    def _typed(self, schema: Mapping[str, Any], depth: int) -> dict[str, Any]:
        kind = schema.get("type")
        if isinstance(kind, list):
            return {"anyOf": [self._visit(_narrowed(schema, one), depth + 1) for one in _full_list(kind, "type")]}
        if kind is None:
            kind = next((name for name, words in _PER_TYPE.items() if words & set(schema)), None)
            if kind is None:
                return self._visit({}, depth)
        if not isinstance(kind, str) or kind not in _PER_TYPE:
            raise _unsupported("a schema type that JSON does not have")
        plain = {"type": kind} | {word: schema[word] for word in _PER_TYPE[kind] if word in schema}
        if kind == "string" and schema.get("format") in _FORMATS:
            return {"type": "string", "format": schema["format"]}
        _within_limits(plain)
        if kind == "object":
            self._object(plain, depth)
        if kind == "array" and "items" in plain:
            plain["items"] = self._visit(plain["items"], depth + 1)
        elif kind == "array" and len(plain) > 1:
            plain["items"] = self._visit({}, depth + 1)
        return plain

    def _object(self, plain: dict[str, Any], depth: int) -> None:
        properties = plain.get("properties") or {}
        if not isinstance(properties, Mapping):
            raise _unsupported("properties is not an object")
        missing = [name for name in plain.get("required") or () if name not in properties]
        if missing:
            raise _unsupported("required names a property that properties does not describe")
        extra = plain.pop("additionalProperties", None)
        if properties:
            plain["properties"] = {name: self._visit(part, depth + 1) for name, part in properties.items()}
            # Leaving undescribed properties out is allowed by every schema, so nothing else need be said.
        elif isinstance(extra, Mapping) and extra:
            plain["additionalProperties"] = self._visit(extra, depth + 1)
        elif extra is False:
            plain["additionalProperties"] = False


def _narrowed(schema: Mapping[str, Any], kind: Any) -> dict[str, Any]:
    keep = _PER_TYPE.get(kind, frozenset()) if isinstance(kind, str) else frozenset[str]()
    return {"type": kind} | {word: value for word, value in schema.items() if word in keep or word == "format"}


def _within_limits(plain: Mapping[str, Any]) -> None:
    for word, most in _MOST.items():
        value = plain.get(word, 0)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
            raise _unsupported(f"{word} must be a whole number up to {most}")
    for thing in ("Items", "Length"):
        if plain.get(f"min{thing}", 0) > plain.get(f"max{thing}", _MOST[f"max{thing}"]):
            raise _unsupported(f"min{thing} is more than max{thing}")


def _full_list(value: Any, word: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise _unsupported(f"{word} is not a list with entries")
    return value


def _unsupported(why: str) -> Unsupported:
    return Unsupported(f"the local model cannot hold to this response_format: {why}", param="response_format")

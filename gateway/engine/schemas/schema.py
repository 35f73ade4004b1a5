"""A client's JSON schema in the plain form that can be turned into a grammar, or a refusal that names the place.

What a grammar cannot hold to is refused, never passed over: an answer that breaks the schema unseen would be worse. A
schema is rebuilt from known keywords alone, within limits; see `plain.py` for what comes out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import orjson

from gateway.core.errors import Unsupported
from gateway.engine.schemas.kinds import KEYWORDS, READERS, Cannot, full_list, mapping
from gateway.engine.schemas.plain import Endless, Plain, TooMany, Whole, is_kind, overlapping
from gateway.engine.schemas.string_formats import FORMATS

JSON_OBJECT: Mapping[str, Any] = {"type": "object"}

_NOTES = frozenset(
    {"title", "description", "default", "example", "examples", "deprecated", "readOnly", "writeOnly", "discriminator"}
    | {"$schema", "$id", "$anchor", "$comment", "$defs", "definitions", "externalDocs", "xml", "enumNames"}
    | {"contentMediaType", "contentEncoding", "contentSchema"}
)
"""Keywords that constrain nothing. `format` is one too by the standard; the known formats are kept all the same."""
_SHAPES = ("$ref", "const", "enum", "anyOf", "oneOf", "allOf")
_KNOWN = _NOTES | {"type", "nullable", *_SHAPES} | frozenset[str]().union(*KEYWORDS.values())

_DEPTH = 32
_NODES = 3000
_BYTES = 512 * 1024
"""As JSON. More than a grammar may hold, and every list and name in it is looked at."""
_PATH = 500
"""Characters of a path that are carried along: a name of a megabyte would be copied for each part beneath it."""


def plain_schema(
    schema: Any, *, param: str = "response_format", path: str = "response_format.json_schema.schema"
) -> dict[str, Any]:
    """The same schema in plain form. Raises Unsupported, with `param` and a message that begins with the place.

    `path` is how the client would name the schema itself.
    """
    try:
        return _Plain(schema, path).whole()
    except Cannot as error:
        raise Unsupported(str(error), param=param) from None
    except RecursionError:
        raise Unsupported(f"{path}: it is too deep", param=param) from None
    except (AttributeError, KeyError, TypeError, ValueError):  # a keyword's value of the wrong kind
        raise Unsupported(f"{path}: it is not a valid schema", param=param) from None


class _Plain:
    def __init__(self, schema: Any, path: str) -> None:
        self._schema = schema
        self._path = path
        self._nodes = 0
        self._names: dict[str, str] = {}
        self._paths: dict[str, str] = {"": path}
        self._waiting: list[tuple[str, Any]] = []
        self._exclusive: list[tuple[str, list[Plain]]] = []

    def whole(self) -> dict[str, Any]:
        if _size(self._schema) > _BYTES:
            raise Cannot(self._path, f"the schema is larger than {_BYTES >> 10} KiB")
        plain = self._visit(self._schema, self._path, 0)
        definitions: dict[str, Any] = {}
        while self._waiting:
            name, target = self._waiting.pop()
            definitions[name] = self._visit(target, self._paths[name], 0)
        plain = {**plain, "$defs": definitions} if definitions else plain
        whole = Whole(plain)
        try:
            whole.check()
        except Endless as error:
            raise Cannot(self._paths[str(error)], "it goes round in circles") from None
        for path, parts in self._exclusive:
            try:
                overlap = overlapping(whole, parts)
            except TooMany:
                raise Cannot(path, "there are too many alternatives to tell them apart; anyOf allows that") from None
            if overlap:
                raise Cannot(path, "an answer might match two of the alternatives; anyOf allows that")
        return plain

    def _visit(self, schema: Any, path: str, depth: int) -> dict[str, Any]:
        path = path if len(path) <= _PATH else "…" + path[-_PATH:]
        self._count(1, path, depth)
        if schema is True:
            return {}
        if not isinstance(schema, Mapping):
            raise Cannot(path, "it allows nothing" if schema is False else "it is not a schema")
        for word in schema:
            if word not in _KNOWN and not str(word).startswith("x-"):
                raise Cannot(f"{path}.{word}", "the keyword cannot be enforced")
        if "nullable" in schema:
            inner = self._visit({word: part for word, part in schema.items() if word != "nullable"}, path, depth + 1)
            return {"anyOf": [inner, {"type": "null"}]} if schema["nullable"] is True else inner
        return self._shaped(schema, path, depth)

    def _count(self, parts: int, path: str, depth: int = 0) -> None:
        self._nodes += parts
        if depth > _DEPTH or self._nodes > _NODES:
            raise Cannot(path, f"the schema is deeper than {_DEPTH} or larger than {_NODES} parts")

    def _shaped(self, schema: Mapping[str, Any], path: str, depth: int) -> dict[str, Any]:
        shape = next((name for name in _SHAPES if name in schema), None)
        if shape is None:
            return self._typed(schema, path, depth)
        if shape == "allOf" or (shape == "$ref" and "allOf" in schema):
            return self._visit(self._merged(schema, path), path, depth + 1)
        for word in schema:
            if word not in _NOTES and word not in (shape, "type") and not word.startswith("x-"):
                if word == "format" and not _is_known(schema[word]):
                    continue
                raise Cannot(f"{path}.{word}", f"it cannot be enforced beside {shape}")
        if shape == "$ref":
            return {"$ref": self._reference(schema["$ref"], f"{path}.$ref")}
        if shape in ("const", "enum"):
            values = [schema["const"]] if shape == "const" else full_list(schema["enum"], f"{path}.enum")
            return {"enum": _values(values, schema.get("type"), f"{path}.{shape}")}
        return self._union(schema, shape, path, depth)

    def _union(self, schema: Mapping[str, Any], shape: str, path: str, depth: int) -> dict[str, Any]:
        parts = []
        for at, part in enumerate(full_list(schema[shape], f"{path}.{shape}")):
            if "type" in schema and isinstance(part, Mapping):
                if part.get("type", schema["type"]) != schema["type"] or "$ref" in part:
                    raise Cannot(f"{path}.type", f"it cannot be enforced beside {shape}")
                part = {"type": schema["type"], **part}
            parts.append(self._visit(part, f"{path}.{shape}[{at}]", depth + 1))
        if shape == "oneOf":
            self._exclusive.append((f"{path}.oneOf", list(parts)))
        return parts[0] if len(parts) == 1 else {"anyOf": parts}

    def _merged(self, schema: Mapping[str, Any], path: str) -> Mapping[str, Any]:
        """Objects that a value must be all at once, as one."""
        rest = {word: value for word, value in schema.items() if word not in ("allOf", *_NOTES)}
        parts = [(f"{path}.allOf[{at}]", part) for at, part in enumerate(full_list(schema["allOf"], f"{path}.allOf"))]
        if len(parts) == 1 and not rest:
            return mapping(parts[0][1], parts[0][0])
        merged: dict[str, Any] = {"type": "object", "properties": {}, "required": []}
        for place, part in [*parts, (path, rest)]:
            part = mapping(part, place)
            if set(part) - _NOTES == {"$ref"}:
                part = mapping(self._target(part["$ref"], f"{place}.$ref"), place)
            extra = part.get("additionalProperties", True)
            strange = set(part) - _NOTES - {"type", "properties", "required", "additionalProperties"}
            if strange or part.get("type", "object") != "object" or extra not in (True, {}):
                raise Cannot(place, "only objects that allow other properties can be held to together")
            properties = mapping(part.get("properties", {}), place)
            self._count(1 + len(properties), place)
            for name, described in properties.items():
                if merged["properties"].setdefault(name, described) != described:
                    raise Cannot(f"{place}.properties.{name}", "it is described in two ways")
            merged["required"] += part.get("required", [])
        return merged

    def _reference(self, ref: Any, path: str) -> str:
        if not isinstance(ref, str) or ref not in self._names:
            target = self._target(ref, path)
            name = self._names[ref] = f"d{len(self._names)}"
            self._paths[name] = self._path + "".join(f".{part}" for part in _pointer(ref))
            self._waiting.append((name, target))
        return f"#/$defs/{self._names[ref]}"

    def _target(self, ref: Any, path: str) -> Any:
        if not isinstance(ref, str) or (ref != "#" and not ref.startswith("#/")):
            raise Cannot(path, "it does not name a part of this schema")
        target = self._schema
        for part in _pointer(ref):
            if isinstance(target, list) and part.isascii() and part.isdigit() and int(part) < len(target):
                target = target[int(part)]
            elif isinstance(target, Mapping) and part in target:
                target = target[part]
            else:
                raise Cannot(path, "it names nothing")
        return target

    def _typed(self, schema: Mapping[str, Any], path: str, depth: int) -> dict[str, Any]:
        kind, loose = schema.get("type"), {}
        if isinstance(kind, list):
            parts = [self._visit({**schema, "type": one}, path, depth + 1) for one in full_list(kind, f"{path}.type")]
            return parts[0] if len(parts) == 1 else {"anyOf": parts}
        if kind is None:
            # Without a type, other kinds of values would be allowed as well; to write none of them breaks nothing.
            kind = next((name for name, words in KEYWORDS.items() if (words - {"format"}) & set(schema)), None)
            if kind is None and _is_known(schema.get("format")):
                kind = "string"
            if kind is None:
                return {}
            loose = {"loose": True}
        if not isinstance(kind, str) or kind not in KEYWORDS:
            raise Cannot(f"{path}.type", "JSON has no such type")
        own = {word: schema[word] for word in schema if word in KEYWORDS[kind]}
        part = READERS[kind]({"type": kind, **own}, path, lambda inner, place: self._visit(inner, place, depth + 1))
        return {"type": kind, **part, **loose}


def _size(schema: Any) -> int:
    try:
        return len(orjson.dumps(schema))
    except TypeError:  # too deep, or what JSON cannot hold: the place of it is found later
        return 0


def _is_known(name: Any) -> bool:
    return isinstance(name, str) and name in FORMATS


def _pointer(ref: str) -> list[str]:
    return [unquote(part).replace("~1", "/").replace("~0", "~") for part in ref.split("/")[1:]]


def _values(values: list[Any], kind: Any, path: str) -> list[Any]:
    kept = values
    if isinstance(kind, str | list):
        kinds = {kind} if isinstance(kind, str) else {one for one in kind if isinstance(one, str)} & KEYWORDS.keys()
        kept = [value for value in values if any(is_kind(value, one) for one in kinds)]
    if not kept:
        raise Cannot(path, "no value is of the type")
    try:
        json.dumps(kept, allow_nan=False, ensure_ascii=False).encode()
    except (TypeError, ValueError):
        raise Cannot(path, "a value that JSON cannot hold") from None
    return kept

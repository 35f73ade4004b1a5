"""What a schema says of a string, a number, an array or an object: kept where it can be held to, refused otherwise."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, TypeAlias

from gateway.engine.schemas.numbers import decimals, integers
from gateway.engine.schemas.pattern import PatternError, lengths, narrowed, parse_pattern
from gateway.engine.schemas.plain import Plain, bounds_of
from gateway.engine.schemas.string_formats import FORMATS

Visit: TypeAlias = Callable[[Any, str], dict[str, Any]]
"""Makes a part of a schema plain: the part and its path."""
Read: TypeAlias = Callable[[Mapping[str, Any], str, Visit], dict[str, Any]]

_BOUNDS = frozenset({"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"})
KEYWORDS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "object": frozenset(
            {
                "properties",
                "required",
                "additionalProperties",
                "propertyNames",
                "patternProperties",
                "unevaluatedProperties",
            }
        ),
        "array": frozenset(
            {"items", "prefixItems", "additionalItems", "minItems", "maxItems", "uniqueItems", "unevaluatedItems"}
        ),
        "string": frozenset({"minLength", "maxLength", "pattern", "format"}),
        "number": _BOUNDS,
        "integer": _BOUNDS,
        "boolean": frozenset(),
        "null": frozenset(),
    }
)
"""Keywords by the type that they say something of; beside other types they mean nothing."""

_MOST_LEAST = 2000
"""The largest minLength and minItems: each of them is written out."""
_ENDLESS = 1_000_000
"""A maxLength or maxItems that no answer can reach."""
_MOST_DIGITS = 18


class Cannot(Exception):
    """Why a schema is refused; the message begins with the place."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"{path if len(path) < 300 else '…' + path[-300:]}: the local model cannot hold to this: {why}"
        )


def read_string(own: Mapping[str, Any], path: str, _visit: Visit) -> dict[str, Any]:
    kept = _counts(own, path, "minLength", "maxLength")
    least, most = kept.get("minLength", 0), kept.get("maxLength")
    known = own.get("format") if isinstance(own.get("format"), str) else None
    if "pattern" not in own and known not in FORMATS:
        return kept
    word = "pattern" if "pattern" in own else "format"
    if word == "pattern" and known in FORMATS:
        raise Cannot(f"{path}.pattern", "it cannot be enforced beside format")
    try:
        pattern = parse_pattern(_text(own["pattern"], f"{path}.pattern") if word == "pattern" else FORMATS[known or ""])
    except PatternError as error:
        raise Cannot(f"{path}.pattern", str(error)) from None
    pattern = narrowed(pattern, least, most)
    shortest, longest = lengths(pattern)
    if shortest < least or (most is not None and (longest is None or longest > most)):
        raise Cannot(f"{path}.{word}", "it does not keep to minLength and maxLength by itself")
    return {word: own[word]} if word == "format" else {word: own[word], **kept}


def read_number(own: Mapping[str, Any], path: str, _visit: Visit) -> dict[str, Any]:
    kept = {
        word: _bound(own[word], f"{path}.{word}") for word in own if word.endswith("imum") and own[word] is not True
    }
    for word, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if own.get(exclusive) is True and word in kept:  # as draft 4 wrote it
            kept[exclusive] = kept.pop(word)
    if own.get("multipleOf", 1) != 1 or (own["type"] == "number" and "multipleOf" in own):
        raise Cannot(f"{path}.multipleOf", "the keyword cannot be enforced")
    bounds = bounds_of(kept)
    if not bounds.open and not (integers(bounds) if own["type"] == "integer" else decimals(bounds)):
        raise Cannot(path, "no number lies between its bounds")
    return kept


def read_array(own: Mapping[str, Any], path: str, visit: Visit) -> dict[str, Any]:
    kept: dict[str, Any] = _counts(own, path, "minItems", "maxItems")
    first, items, word = own.get("prefixItems", []), own.get("items", True), "items"
    if isinstance(items, list):  # as draft 7 wrote it
        first, items, word = items, own.get("additionalItems", True), "additionalItems"
    if not isinstance(first, list):
        raise Cannot(f"{path}.prefixItems", "it is not a list")
    if own.get("unevaluatedItems", True) is False and "items" not in own:
        items = False
    if len(first) > kept.get("maxItems", len(first)):
        first = first[: kept["maxItems"]]
    if items is False:
        if kept.get("minItems", 0) > len(first):
            raise Cannot(f"{path}.minItems", "there are not so many items")
        kept["maxItems"] = len(first)
    if own.get("uniqueItems", False) is not False and kept.get("maxItems", 2) > 1:
        raise Cannot(f"{path}.uniqueItems", "the keyword cannot be enforced")
    if first:
        kept["prefixItems"] = [visit(part, f"{path}.prefixItems[{at}]") for at, part in enumerate(first)]
    if kept.get("maxItems") != len(first):
        kept["items"] = visit(items, f"{path}.{word}")
    return kept


def read_object(own: Mapping[str, Any], path: str, visit: Visit) -> dict[str, Any]:
    properties = mapping(own.get("properties", {}), f"{path}.properties")
    extra = own.get("additionalProperties", own.get("unevaluatedProperties", True))
    required = own.get("required", [])
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise Cannot(f"{path}.required", "it is not a list of names")
    missing = [name for name in required if name not in properties]
    if missing and extra is False:
        raise Cannot(f"{path}.required", "it names a property that is not allowed")
    if not properties and not missing:
        return _read_map(own, extra, path, visit)
    for word in ("patternProperties", "propertyNames"):
        if word in own:
            raise Cannot(f"{path}.{word}", "it cannot be enforced beside properties")
    described = {name: (part, f"{path}.properties.{name}") for name, part in properties.items()}
    described |= dict.fromkeys(missing, (extra, f"{path}.additionalProperties"))
    plain = {_text(name, path): visit(part, place) for name, (part, place) in described.items()}
    # Leaving undescribed properties out is allowed by every schema, so nothing else need be written.
    kept: dict[str, Any] = {"properties": plain}
    if required:
        kept["required"] = list(dict.fromkeys(required))
    return {**kept, "additionalProperties": False} if extra is False else kept


def _read_map(own: Mapping[str, Any], extra: Any, path: str, visit: Visit) -> dict[str, Any]:
    """An object whose names are not described one by one."""
    kept: dict[str, Any] = {}
    patterns = mapping(own.get("patternProperties", {}), f"{path}.patternProperties")
    if patterns and ("propertyNames" in own or len(patterns) > 1 or extra not in (False, True)):
        raise Cannot(f"{path}.patternProperties", "more than one pattern, or other names beside it")
    for pattern, part in patterns.items():
        place = f"{path}.patternProperties.{pattern}"
        kept["propertyNames"] = visit({"type": "string", "pattern": pattern}, place)
        extra = part
    if "propertyNames" in own:
        names = visit(own["propertyNames"], f"{path}.propertyNames")
        if names and not _is_text(names):
            raise Cannot(f"{path}.propertyNames", "it does not say which texts")
        kept["propertyNames"] = names or {"type": "string"}
    if extra is False:
        return {"additionalProperties": False}
    value = visit(extra, f"{path}.additionalProperties")
    return {**kept, "additionalProperties": value} if value or kept else {}


def _is_text(names: Plain) -> bool:
    return names.get("type") == "string" or all(isinstance(value, str) for value in names.get("enum", [None]))


def _counts(own: Mapping[str, Any], path: str, least: str, most: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for word in (least, most):
        value = own.get(word, 0)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or value < 0
            or (word == least and value > _MOST_LEAST)
        ):
            limit = f" up to {_MOST_LEAST}" if word == least else ""
            raise Cannot(f"{path}.{word}", f"it must be a whole number{limit}")
        if word in own and not (word == most and value >= _ENDLESS) and not (word == least and value == 0):
            kept[word] = value
    if kept.get(least, 0) > kept.get(most, _ENDLESS):
        raise Cannot(f"{path}.{least}", f"it is more than {most}")
    return kept


def _bound(value: Any, path: str) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 10**_MOST_DIGITS:
        raise Cannot(path, f"it must be a number of at most {_MOST_DIGITS} digits")
    if isinstance(value, float) and value != 0 and abs(value) < 10**-_MOST_DIGITS:
        raise Cannot(path, f"it must be a number of at most {_MOST_DIGITS} digits")
    return value


def full_list(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list) or not value:
        raise Cannot(path, "it is not a list with entries")
    return value


def mapping(value: Any, path: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Cannot(path, "it is not an object")
    return value


def _text(value: Any, path: str) -> str:
    try:
        value.encode()
    except (AttributeError, ValueError):
        raise Cannot(path, "it is not a text") from None
    return str(value)


def _read_nothing(_own: Mapping[str, Any], _path: str, _visit: Visit) -> dict[str, Any]:
    return {}


READERS: Mapping[str, Read] = MappingProxyType(
    {
        "object": read_object,
        "array": read_array,
        "string": read_string,
        "number": read_number,
        "integer": read_number,
        "boolean": _read_nothing,
        "null": _read_nothing,
    }
)

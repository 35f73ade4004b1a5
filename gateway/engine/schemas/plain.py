"""Plain schemas, as `plain_schema` makes them, looked at as a whole: what ends, what starts over, what overlaps.

A plain schema is one of: `{}` (any value) · `{"$ref": "#/$defs/NAME"}` · `{"anyOf": [...]}` · `{"enum": [...]}` ·
`{"type": KIND, ...}` with keywords of that kind alone, and `loose` where other kinds match too but are never written.
The outermost one may carry `$defs`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from itertools import combinations
from typing import Any, TypeAlias

from gateway.engine.schemas.numbers import Bounds

Plain: TypeAlias = Mapping[str, Any]

_REF = "#/$defs/"
_MOST_COMPARED = 200_000
"""Values and properties of alternatives held against each other: every one of them against every other one."""
_MOST_WAYS = 4000
"""llama.cpp looks for left recursion by every way through alternatives, without remembering where it has been."""


class Endless(ValueError):
    """A definition, named by the argument, that cannot be written down."""


def bounds_of(node: Plain) -> Bounds:
    """The bounds of a number: of two on one side, the one that is nearer."""
    low, above = _nearer(node.get("minimum"), node.get("exclusiveMinimum"), 1)
    high, below = _nearer(node.get("maximum"), node.get("exclusiveMaximum"), -1)
    return Bounds(low, high, above, below)


def _nearer(included: Any, excluded: Any, sign: int) -> tuple[Decimal | None, bool]:
    if excluded is None:
        return None if included is None else Decimal(str(included)), False
    bound = Decimal(str(excluded))
    if included is not None and sign * Decimal(str(included)) > sign * bound:
        return Decimal(str(included)), False
    return bound, True


class TooMany(ValueError):
    """There is more to compare than there is time for."""


class Whole:
    """A plain schema with its definitions."""

    def __init__(self, plain: Plain) -> None:
        self._root = {word: value for word, value in plain.items() if word != "$defs"}
        self._definitions: Mapping[str, Plain] = plain.get("$defs", {})
        self._compared = 0

    def check(self) -> None:
        """Raises Endless where a definition is itself before it is anything, or no answer to it has an end."""
        ways: dict[str, int] = {}
        for name in self._definitions:
            self._ways({"$ref": _REF + name}, ways, name)
        if self._ways(self._root, ways, "") > _MOST_WAYS:
            raise Endless("")
        finite = self._finite()
        for name in self._definitions:
            if name not in finite:
                raise Endless(name)
        if not self._ends(self._root, finite):
            raise Endless("")

    def disjoint(self, one: Plain, other: Plain) -> bool:
        """Whether nothing that is written for either of the two matches the other. False where it cannot be told.

        Raises TooMany.
        """
        return all(
            self._misses(a, b) and self._misses(b, a)
            for a in self._parts(one, set())
            for b in self._parts(other, set())
        )

    def _ways(self, node: Plain, known: dict[str, int], owner: str) -> int:
        if "anyOf" in node:
            ways = sum(self._ways(part, known, owner) for part in node["anyOf"])
        elif "$ref" in node:
            name = node["$ref"].removeprefix(_REF)
            if name not in known:
                known[name] = -1
                known[name] = self._ways(self._definitions[name], known, name)
            ways = known[name]
            if ways < 0:
                raise Endless(name)
        else:
            return 1
        if ways > _MOST_WAYS:
            raise Endless(owner)
        return ways

    def _finite(self) -> set[str]:
        """Definitions to which a finite answer exists, found from the inside out."""
        finite: set[str] = set()
        names = list(self._definitions)
        while True:
            before = len(finite)
            # To and fro: a chain of definitions is then followed to its end at once, whichever way it runs.
            for name in [*names, *reversed(names)]:
                if name not in finite and self._ends(self._definitions[name], finite):
                    finite.add(name)
            if len(finite) == before:
                return finite

    def _ends(self, node: Plain, finite: set[str]) -> bool:
        if "$ref" in node:
            return node["$ref"].removeprefix(_REF) in finite
        if "anyOf" in node:
            return any(self._ends(part, finite) for part in node["anyOf"])
        needed = [node.get("properties", {}).get(name, {}) for name in node.get("required", ())]
        needed += node.get("prefixItems", ())
        if node.get("minItems", 0) > len(node.get("prefixItems", ())):
            needed.append(node.get("items", {}))
        return all(self._ends(part, finite) for part in needed)

    def _parts(self, node: Plain, seen: set[str]) -> Iterator[Plain]:
        """The alternatives that a node comes down to."""
        if "anyOf" in node:
            for part in node["anyOf"]:
                yield from self._parts(part, seen)
        elif "$ref" in node:
            if node["$ref"] not in seen:
                seen.add(node["$ref"])
                yield from self._parts(self._definitions[node["$ref"].removeprefix(_REF)], seen)
        else:
            yield node

    def _misses(self, written: Plain, read: Plain) -> bool:
        """Whether what is written for the one never matches the other."""
        self._compared += _weight(written) + _weight(read)
        if self._compared > _MOST_COMPARED:
            raise TooMany
        if "enum" in written or "enum" in read:
            return self._misses_values(written, read)
        kinds = {written.get("type"), read.get("type")}
        if None in kinds or kinds == {"integer", "number"}:
            return False
        if len(kinds) > 1:
            return "loose" not in read
        return kinds == {"object"} and self._misses_object(written, read)

    def _misses_values(self, written: Plain, read: Plain) -> bool:
        if "enum" in written and "enum" in read:
            values = [{json.dumps(value, sort_keys=True) for value in node["enum"]} for node in (written, read)]
            # 1 and 1.0 are one value, and so are true and true.
            return values[0].isdisjoint(values[1]) and not any(isinstance(v, float) for v in written["enum"])
        if "loose" in read:
            return False
        enum, node = (written, read) if "enum" in written else (read, written)
        return node.get("type") in {"object", "array", "string", "boolean", "null"} and not any(
            is_kind(value, node["type"]) for value in enum["enum"]
        )

    def _misses_object(self, written: Plain, read: Plain) -> bool:
        """No property is ever written that the schema does not describe: so one that is needed elsewhere is missing."""
        mine, theirs = written.get("properties", {}), read.get("properties", {})
        if not mine or not theirs:
            return False
        always, needed = set(written.get("required", ())), set(read.get("required", ()))
        if needed - set(mine) or (read.get("additionalProperties") is False and always - set(theirs)):
            return True
        return any(self._tells_apart(mine[name], theirs[name]) for name in always & set(theirs))

    def _tells_apart(self, one: Plain, other: Plain) -> bool:
        return "enum" in one and "enum" in other and self._misses_values(one, other)


def _weight(node: Plain) -> int:
    """What comparing it costs: each value that is listed, and each property with those listed for it."""
    properties = node.get("properties", {})
    return 1 + len(node.get("enum", ())) + sum(1 + len(part.get("enum", ())) for part in properties.values())


def overlapping(whole: Whole, parts: list[Plain]) -> bool:
    """Whether an answer to one of the parts might match a second one. Raises TooMany."""
    return any(not whole.disjoint(one, other) for one, other in combinations(parts, 2))


def is_kind(value: Any, kind: str) -> bool:
    """Whether a JSON value is of a JSON schema type."""
    if isinstance(value, bool) or value is None:
        return kind == ("null" if value is None else "boolean")
    if isinstance(value, int | float):
        return kind == "number" or (kind == "integer" and value == int(value))
    return isinstance(value, {"string": str, "array": list, "object": Mapping}.get(kind, ()))

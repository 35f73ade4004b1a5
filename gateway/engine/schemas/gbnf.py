"""A plain schema (`plain_schema`) as a grammar in llama.cpp's notation, GBNF.

Written here and not by llama-cpp-python's converter: that one passes over bounds, writes strings with line breaks and
half characters, sorts optional properties after the required ones, and mixes up definitions of like names.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby, takewhile
from typing import Any

from gateway.core.errors import Unsupported
from gateway.engine.schemas.numbers import MOST_DIGITS, decimals, integers
from gateway.engine.schemas.pattern import Chain, Either, Node, Ranges, Set, narrowed, parse_pattern
from gateway.engine.schemas.plain import bounds_of
from gateway.engine.schemas.string_formats import FORMATS

_MOST_ELEMENTS = 60_000
"""Parts of a grammar after its repetitions are written out: a few megabytes, copied for each choice."""

_CHUNK = 100
"""Long repetitions go by chunks: llama.cpp makes a rule for each possible count."""

_CHAR = (
    r'[ !#-\x5B\x5D-\uD7FF\uE000-\U0010FFFF] | "\\" (["\x5C/bfnrt] | '
    # Never half a character: parsers refuse or mangle it.
    '"u" ([0-9a-cA-CeEfF] [0-9a-fA-F]{3} | [dD] [0-7] [0-9a-fA-F]{2}))'
)
_ESCAPES = {0x08: "b", 0x09: "t", 0x0A: "n", 0x0C: "f", 0x0D: "r", 0x22: '"', 0x5C: "\\"}


def to_grammar(schema: Mapping[str, Any]) -> str:
    """GBNF whose `root` is a JSON text that matches. Raises Unsupported where it would be too large."""
    rules = Rules()
    return rules.text(rules.schema(schema))


class Rules:
    """Rules under construction. Equal rules are one rule, so that a state is never counted twice."""

    def __init__(self) -> None:
        self._bodies: dict[str, str] = {}
        self._names: dict[str, str] = {}
        self._elements = 0

    def add(self, body: str, elements: int = 0) -> str:
        """A rule of this body; its name. `elements` is what its repetitions will be written out to."""
        name = self._names.get(body)
        if name is None:
            name = self._names[body] = self.reserve()
            self.define(name, body, elements)
        return name

    def reserve(self, wish: str = "") -> str:
        """A name for a rule that others may mention before it is defined: the one wished for where it is free."""
        name = wish if wish and wish not in self._bodies else f"r{len(self._bodies)}"
        self._bodies[name] = ""
        return name

    def define(self, name: str, body: str, elements: int = 0) -> None:
        self._bodies[name] = body
        self._elements += len(body) // 4 + elements
        if self._elements > _MOST_ELEMENTS:
            raise Unsupported("the schema is too large for the local model", param="response_format")

    def schema(self, schema: Mapping[str, Any]) -> str:
        """Rules for a plain schema; the name of the one for the whole."""
        return _Writer(self, schema).whole()

    def repeat(self, name: str, least: int, most: int | None) -> str:
        """The rule `name`, so many times in a row."""
        if least > 2 * _CHUNK:
            chunk = self.add(f"{name}{{{_CHUNK}}}", _CHUNK)
            fixed = f"{chunk}{{{least // _CHUNK}}} "
            return fixed + self.repeat(name, least % _CHUNK, None if most is None else most - least + least % _CHUNK)
        if most is None:
            return {0: f"{name}*", 1: f"{name}+"}.get(least, f"{name}{{{least},}}")
        if most - least > 2 * _CHUNK:
            chunk = self.add(f"{name}{{{_CHUNK}}}", _CHUNK)
            chunks = (most - least) // _CHUNK - 1
            upper = most - chunks * _CHUNK
            return f"{self.repeat(chunk, 0, chunks)} {self.repeat(name, least, upper)}"
        self._elements += most
        return f"{name}{{{least},{most}}}" if most else '""'

    def text(self, root: str) -> str:
        """The grammar with this rule as its root."""
        return "\n".join(f"{name} ::= {body}" for name, body in [("root", root), *self._bodies.items()]) + "\n"


class _Writer:
    def __init__(self, rules: Rules, schema: Mapping[str, Any]) -> None:
        self._rules = rules
        self._schema = schema
        self._references: dict[str, str] = {}
        self._ws = rules.add('" "?')

    def whole(self) -> str:
        return self._write({word: value for word, value in self._schema.items() if word != "$defs"})

    def _write(self, node: Mapping[str, Any]) -> str:
        if "$ref" in node:
            return self._reference(node["$ref"])
        if "anyOf" in node:
            return self._rules.add(" | ".join(dict.fromkeys(self._write(part) for part in node["anyOf"])))
        if "enum" in node:
            return self._rules.add(_either(sorted({_json(value) for value in node["enum"]})))
        if "type" not in node:
            return self._anything()
        write: Callable[[Mapping[str, Any]], str] = getattr(self, f"_{node['type']}")
        return write(node)

    def _reference(self, ref: str) -> str:
        rule = self._references.get(ref)
        if rule is None:
            name = ref.removeprefix("#/$defs/")
            rule = self._references[ref] = self._rules.reserve(name)
            self._rules.define(rule, self._write(self._schema["$defs"][name]))
        return rule

    def _anything(self) -> str:
        name = self._references.get("")
        if name is None:
            name = self._references[""] = self._rules.reserve()
            kinds = ("object", "array", "string", "number", "boolean", "null")
            self._rules.define(name, " | ".join(self._write({"type": kind}) for kind in kinds))
        return name

    def _boolean(self, _node: Mapping[str, Any]) -> str:
        return self._rules.add('"true" | "false"')

    def _null(self, _node: Mapping[str, Any]) -> str:
        return self._rules.add('"null"')

    def _integer(self, node: Mapping[str, Any]) -> str:
        bounds = bounds_of(node)
        if bounds.open:
            return self._rules.add(f'"-"? ("0" | [1-9] [0-9]{{0,{MOST_DIGITS - 1}}})')
        return self._rules.add(" | ".join(integers(bounds)))

    def _number(self, node: Mapping[str, Any]) -> str:
        bounds = bounds_of(node)
        if bounds.open:
            whole = f'"-"? ("0" | [1-9] [0-9]{{0,{MOST_DIGITS - 1}}})'
            # Two digits of an exponent: more would be infinite for whoever reads it.
            return self._rules.add(f'{whole} ("." [0-9]{{1,{MOST_DIGITS}}})? ([eE] [-+]? [1-9] [0-9]?)?')
        return self._rules.add(" | ".join(decimals(bounds)))

    def _string(self, node: Mapping[str, Any]) -> str:
        if "format" in node:
            return self._quoted(parse_pattern(FORMATS[node["format"]]))
        if "pattern" in node:
            pattern = parse_pattern(node["pattern"])
            return self._quoted(narrowed(pattern, node.get("minLength", 0), node.get("maxLength")))
        char = self._rules.add(_CHAR)
        repeated = self._rules.repeat(char, node.get("minLength", 0), node.get("maxLength"))
        return self._rules.add(f'"\\"" {repeated} "\\""')

    def _quoted(self, pattern: Node) -> str:
        return self._rules.add(f'"\\"" {self._pattern(pattern)} "\\""')

    def _pattern(self, node: Node) -> str:
        if isinstance(node, Set):
            return self._rules.add(_characters(node.ranges))
        if isinstance(node, Chain):
            return " ".join(self._pattern(part) for part in node.parts) or '""'
        if isinstance(node, Either):
            return self._rules.add(" | ".join(self._pattern(part) for part in node.options))
        return self._rules.repeat(self._rules.add(self._pattern(node.part)), node.least, node.most)

    def _array(self, node: Mapping[str, Any]) -> str:
        first = [self._write(part) for part in node.get("prefixItems", ())]
        least, most = node.get("minItems", 0) - len(first), node.get("maxItems")
        most = None if most is None else most - len(first)
        parts = [f' "," {self._ws} '.join(first)] if first else []
        if "items" in node and most != 0:
            item = self._write(node["items"])
            more = self._rules.add(f'"," {self._ws} {item}')
            if first:
                parts.append(self._rules.repeat(more, max(0, least), most))
            else:
                rest = self._rules.repeat(more, max(0, least - 1), None if most is None else most - 1)
                parts.append(f"{item} {rest}" if least > 0 else f"({item} {rest})?")
        return self._rules.add(f'"[" {self._ws} {" ".join(parts)} {self._ws} "]"')

    def _object(self, node: Mapping[str, Any]) -> str:
        properties = node.get("properties", {})
        extra = node.get("additionalProperties")
        if properties:
            required = set(node.get("required", ()))
            pairs = [
                (self._rules.add(f"{literal(_json(name) + ':')} {self._ws} {self._write(part)}"), name in required)
                for name, part in properties.items()
            ]
            return self._rules.add(f'"{{" {self._ws} {self._members(pairs)} {self._ws} "}}"')
        if extra is False:
            return self._rules.add(f'"{{" {self._ws} "}}"')
        key = self._write(node.get("propertyNames", {"type": "string"}))
        value = self._write(extra or {})
        pair = self._rules.add(f'{key} ":" {self._ws} {value}')
        return self._rules.add(f'"{{" {self._ws} ({pair} ("," {self._ws} {pair})*)? {self._ws} "}}"')

    def _members(self, pairs: Sequence[tuple[str, bool]]) -> str:
        """Pairs in the schema's order, those that are not required there or not; a comma between any two."""
        after = begin = '""'
        for pair, required in reversed(pairs):
            following, beginning = self._rules.add(after), self._rules.add(begin)
            begin = f"{pair} {following}" if required else f"{pair} {following} | {beginning}"
            one = f'"," {self._ws} {pair}'
            after = f"{one} {following}" if required else f"({one})? {following}"
        return self._rules.add(begin)


def _either(texts: Sequence[str], depth: int = 0) -> str:
    """Any one of these. Common beginnings are written once: a state for each text would be slow with hundreds."""
    if len(texts) == 1:
        return literal(texts[0])
    # Of sorted texts the first and the last differ first.
    prefix = "".join(a for a, b in takewhile(lambda pair: pair[0] == pair[1], zip(texts[0], texts[-1], strict=False)))
    rests = [text[len(prefix) :] for text in texts]
    if depth < 12:
        groups = [_either(list(group), depth + 1) for _, group in groupby(rests, key=lambda rest: rest[:1])]
    else:
        groups = [literal(rest) for rest in rests]
    inner = " | ".join(groups)
    return f"{literal(prefix)} ({inner})" if prefix else f"({inner})"


def _characters(ranges: Ranges) -> str:
    """One of these characters as it stands in a JSON string."""
    plain = [
        (low, high)
        for given_low, given_high in ranges
        for first, last in ((0x20, 0x21), (0x23, 0x5B), (0x5D, 0x10FFFF))
        if (low := max(given_low, first)) <= (high := min(given_high, last))
    ]
    body = "".join(_point(low) if low == high else f"{_point(low)}-{_point(high)}" for low, high in plain)
    escaped = [
        literal("\\" + sign) for point, sign in _ESCAPES.items() if any(low <= point <= high for low, high in ranges)
    ]
    if not body and not escaped:  # an empty rule, which llama.cpp cannot parse and prints, with all the others
        escaped = [literal(f"\\u{point:04x}") for low, high in ranges for point in range(low, high + 1)]
    return " | ".join([*([f"[{body}]"] if body else []), *escaped])


def _point(point: int) -> str:
    return chr(point) if chr(point).isalnum() and point < 128 else f"\\U{point:08X}"


def _json(value: Any) -> str:
    # Letters as themselves: a model does not write "caff\u00e8".
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def literal(text: str) -> str:
    """A text that stands in the answer just so. None here has a line break: JSON escapes them, markers hold none."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

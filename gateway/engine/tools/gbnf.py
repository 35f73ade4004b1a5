"""A grammar for the calls a request allows: known names, arguments to their schemas, as many calls as may be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.errors import Unsupported
from gateway.engine.schemas.gbnf import Rules, literal
from gateway.engine.schemas.schema import JSON_OBJECT
from gateway.engine.tools.ask import Tool, ToolAsk
from gateway.engine.tools.family import LIST, NAMED, Family

_MOST_CALLS = 16
"""A small model that may go on calling does so until its answer's limit."""
_GAP = "[ \\t\\n\\r]{0,4}"


def grammar_of(family: Family, ask: ToolAsk) -> str:
    """GBNF whose root is all of the calls in one answer. Raises Unsupported."""
    tools = ask.callable_tools
    try:
        return _Writer(family, ask).text([tool["schema"] for tool in tools])
    except Unsupported as error:
        # One grammar is for all of them. Whose schema is strict keeps it or is refused; the others may be any object.
        for tool in tools:
            if tool["strict"]:
                _check(tool, error)
    try:
        return _Writer(family, ask).text([tool["schema"] if tool["strict"] else JSON_OBJECT for tool in tools])
    except Unsupported as error:
        raise Unsupported("tools: the schemas are too large together for the local model", param="tools") from error


def triggers_of(family: Family) -> tuple[str, ...]:
    """Patterns that say a call begins; the first group is where the grammar does."""
    marked = f"({re.escape(family.open)})"
    space = "[ \\t\\n\\r]"
    return (marked, f'^{space}*(\\{{{space}{{0,4}}"{family.called}")') if family.bare else (marked,)


class _Writer:
    def __init__(self, family: Family, ask: ToolAsk) -> None:
        self._family = family
        self._ask = ask
        self._rules = Rules()
        self._gap = self._rules.add(_GAP, 4)

    def text(self, schemas: Sequence[Mapping[str, Any]]) -> str:
        family, gap, rules = self._family, self._gap, self._rules
        names = [tool["name"] for tool in self._ask.callable_tools]
        write = self._named if family.body == NAMED else self._object
        call = rules.add(
            " | ".join(write(name, rules.schema(schema)) for name, schema in zip(names, schemas, strict=True))
        )
        if family.body == LIST:
            more = self._more(f'"," {gap} {call} {gap}') if self._ask.parallel else ""
            call = f'"[" {gap} {call} {gap} {more} "]"'
        whole = rules.add(self._framed(call))
        if family.body != LIST and self._ask.parallel:
            whole = rules.add(f"{whole} {self._more(f'{gap} {whole}')}")
        return rules.text(whole)

    def _more(self, body: str) -> str:
        return self._rules.repeat(self._rules.add(body), 0, _MOST_CALLS - 1)

    def _framed(self, call: str) -> str:
        opened = f"{literal(self._family.open)} {self._gap}"
        closed = f"{self._gap} {literal(self._family.close)}" if self._family.close else ""
        if self._family.bare and not self._ask.required:
            # An answer that began with a bare call, which put the grammar in force, has no marker to close.
            opened, closed = f"({opened})?", closed and f"({closed})?"
        return f"{opened} {call} {closed}".strip()

    def _object(self, name: str, arguments: str) -> str:
        gap = self._gap
        called, key, value = (literal(f'"{word}"') for word in (self._family.called, self._family.arguments, name))
        pairs = f'{called} {gap} ":" {gap} {value} {gap} "," {gap} {key} {gap} ":" {gap} {arguments}'
        return self._rules.add(f'"{{" {gap} {pairs} {gap} "}}"')

    def _named(self, name: str, arguments: str) -> str:
        separator = f'("[CALL_ID]" [a-zA-Z0-9]{{9}})? {literal(self._family.separator)}'
        return self._rules.add(f"{literal(name)} {separator} {self._gap} {arguments}")


def _check(tool: Tool, error: Unsupported) -> None:
    rules = Rules()
    try:
        rules.schema(tool["schema"])
    except Unsupported:
        path = f"{tool['path']}.parameters"
        raise Unsupported(f"{path}: the schema is too large for the local model", param=path) from error

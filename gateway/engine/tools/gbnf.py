"""A grammar for the calls a request allows: known names, arguments to their schemas, as many calls as may be."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from gateway.core.errors import Unsupported
from gateway.engine.grammar import to_grammar
from gateway.engine.schema import JSON_OBJECT
from gateway.engine.tools.ask import Tool, ToolAsk
from gateway.engine.tools.family import LIST, NAMED, Family

_MOST_CALLS = 16
"""A small model that may go on calling does so until its answer's limit."""
_GAP = "[ \\t\\n\\r]{0,4}"
_REF = "#/$defs/"


def grammar_of(family: Family, ask: ToolAsk) -> str:
    """GBNF. Raises Unsupported."""
    tools = ask.callable_tools
    calls = " | ".join(_call(family, tool, at) for at, tool in enumerate(tools))
    more = f"{{0,{_MOST_CALLS - 1}}}"
    rules = [f"gateway-gap ::= {_GAP}", f"gateway-call ::= {calls}"]
    body = "gateway-call"
    if family.body == LIST and ask.parallel:
        body = f'gateway-call gateway-gap ("," gateway-gap gateway-call gateway-gap){more}'
    if family.body == LIST:
        body = f'"[" gateway-gap {body} gateway-gap "]"'
    opened = f"{literal(family.open)} gateway-gap"
    if family.bare and not ask.required:
        opened = f"({opened})?"
    closed = f" gateway-gap {literal(family.close)}" if family.close else ""
    if family.bare and closed and not ask.required:
        closed = f"({closed})?"
    rules.append(f"gateway-whole ::= {opened} {body}{closed}")
    several = ask.parallel and family.body != LIST
    rules.append("root ::= gateway-whole" + (f" (gateway-gap gateway-whole){more}" if several else ""))
    return "\n".join([*rules, *_arguments(tools)])


def triggers_of(family: Family) -> tuple[str, ...]:
    """Patterns, in the words that C++ and Python share; the first group is where the grammar begins."""
    marked = f"({_escaped(family.open)})"
    space = "[ \\t\\n\\r]"
    return (marked, f'^{space}*(\\{{{space}{{0,4}}"{family.called}")') if family.bare else (marked,)


def literal(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _call(family: Family, tool: Tool, at: int) -> str:
    name, arguments = tool["name"], _rule(at)
    if family.body == NAMED:
        call_id = '("[CALL_ID]" [a-zA-Z0-9]{9})?'
        return f"{literal(name)} {call_id} {literal(family.separator)} {arguments}"
    colon, comma = 'gateway-gap ":" gateway-gap', 'gateway-gap "," gateway-gap'
    called, key, value = (literal(f'"{word}"') for word in (family.called, family.arguments, name))
    return f'"{{" gateway-gap {called} {colon} {value} {comma} {key} {colon} {arguments} "}}"'


def _rule(at: int) -> str:
    return f"gateway-tool-{at}"


def _arguments(tools: Sequence[Tool]) -> list[str]:
    """The rules of all the tools' arguments, but for the converter's root."""
    try:
        grammar = _converted([tool["schema"] for tool in tools])
    except Unsupported as error:
        # One grammar is for all of them. Whose schema is strict keeps it or is refused; the others may be any object.
        for tool in tools:
            if tool["strict"]:
                _check(tool, error)
        kept = [tool["schema"] if tool["strict"] else JSON_OBJECT for tool in tools]
        try:
            grammar = _converted(kept)
        except Unsupported as second:
            raise Unsupported("tools: the schemas are too large together", param="tools") from second
    return [line for line in grammar.split("\n") if not re.match(r"(root|alternative-\d+) ::= ", line)]


def _check(tool: Tool, error: Unsupported) -> None:
    try:
        to_grammar(tool["schema"])
    except Unsupported:
        path = f"{tool['path']}.parameters"
        raise Unsupported(f"{path}: the local model cannot hold to this schema", param=path) from error


def _converted(schemas: Sequence[Mapping[str, Any]]) -> str:
    definitions: dict[str, Any] = {}
    for at, schema in enumerate(schemas):
        plain = {word: value for word, value in schema.items() if word != "$defs"}
        names = {f"{_REF}{name}": f"{_REF}{_rule(at)}-{name}" for name in schema.get("$defs", ())}
        definitions[_rule(at)] = _renamed(plain, names)
        for name, part in schema.get("$defs", {}).items():
            definitions[f"{_rule(at)}-{name}"] = _renamed(part, names)
    union = [{"$ref": f"{_REF}{_rule(at)}"} for at in range(len(schemas))]
    return to_grammar({"anyOf": union, "$defs": definitions})


def _renamed(schema: Any, names: Mapping[str, str]) -> Any:
    """A plain schema with its references to `$defs` under the names they have among all the tools'."""
    if not isinstance(schema, Mapping) or "const" in schema or "enum" in schema:
        return schema
    if "$ref" in schema:
        return {"$ref": names[schema["$ref"]]}
    kept = dict(schema)
    if "properties" in kept:
        kept["properties"] = {name: _renamed(part, names) for name, part in kept["properties"].items()}
    if "anyOf" in kept:
        kept["anyOf"] = [_renamed(part, names) for part in kept["anyOf"]]
    for word in ("items", "additionalProperties"):
        if word in kept:
            kept[word] = _renamed(kept[word], names)
    return kept


def _escaped(text: str) -> str:
    return re.sub(r"([\\^$.|?*+()\[\]{}])", r"\\\1", text)

"""What a request brings back: every string of its body, the tool calls in it, and the results that belong to them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from gateway.core.document import WORDS
from gateway.core.types import Json

SHORTEST = 40
"""Characters: shorter answers and calls are not remembered, since too many are alike."""

_SHORTEST_PART = 16
"""Words of the API stand between the parts of a message; a text that was cut over parts is joined without them."""
_DEPTH = 100


class Said(NamedTuple):
    path: str
    text: str


class Call(NamedTuple):
    """A tool call as a client sends it back."""

    path: str
    call_id: str
    name: str
    arguments: str


class Result(NamedTuple):
    """What a tool gave, and the call that it says it answers."""

    path: str
    call_id: str
    name: str
    texts: tuple[str, ...]


def strings(value: Json, path: str = "$") -> list[Said]:
    """Every string that is long enough to hold something, keys included, in order."""
    said: list[Said] = []
    _collect(said, value, path, 0)
    return said


def _collect(said: list[Said], value: Json, path: str, depth: int) -> None:
    if isinstance(value, str):
        if len(value) >= _SHORTEST_PART:
            said.append(Said(path, value))
    elif depth > _DEPTH:
        return  # nobody reads what lies so deep: the detectors say so
    elif isinstance(value, dict | Mapping):
        for number, (key, inner) in enumerate(value.items()):
            if key not in WORDS and isinstance(key, str) and len(key) >= _SHORTEST_PART:
                said.append(Said(f"{path}~key[{number}]", key))
            if isinstance(inner, str):
                if len(inner) >= _SHORTEST_PART:
                    said.append(Said(_under(path, key, number), inner))
            elif isinstance(inner, dict | list | tuple | Mapping):
                _collect(said, inner, _under(path, key, number), depth + 1)
    elif isinstance(value, list | tuple):
        for number, inner in enumerate(value):
            _collect(said, inner, f"{path}[{number}]", depth + 1)


def _under(path: str, key: Json, number: int) -> str:
    return f"{path}.{key}" if key in WORDS else f"{path}~value[{number}]"


def calls(messages: Sequence[Json]) -> Iterator[Call]:
    for number, message in enumerate(messages):
        if not isinstance(message, Mapping):
            continue
        path = f"$.messages[{number}]"
        given = message.get("tool_calls")
        for one in given if isinstance(given, list) else ():
            if isinstance(one, Mapping):
                yield Call(path, _text(one.get("id")), *spoken(one))
        if message.get("function_call") is not None:
            yield Call(path, "", *spoken({"function": message["function_call"]}))


def spoken(call: Mapping[str, Json]) -> tuple[str, str]:
    """Name and arguments of a call or of a piece of one; of a custom tool's, what stands for them."""
    for kind, arguments in (("function", "arguments"), ("custom", "input")):
        if isinstance(inner := call.get(kind), Mapping):
            return _text(inner.get("name")), _text(inner.get(arguments))
    return "", ""


def results(messages: Sequence[Json]) -> Iterator[Result]:
    for number, message in enumerate(messages):
        if isinstance(message, Mapping) and message.get("role") in ("tool", "function"):
            texts = tuple(said.text for said in strings(message.get("content")) if len(said.text) >= SHORTEST)
            path = f"$.messages[{number}]"
            yield Result(path, _text(message.get("tool_call_id")), _text(message.get("name")), texts)


def _text(value: Json) -> str:
    return value if isinstance(value, str) else ""

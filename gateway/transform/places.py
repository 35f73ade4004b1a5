"""Where strings stand in a JSON document: detectors' paths as steps, every string in order, and a copy with changes.

A detector's path spells out the words of the API alone; every other key is told by its number in its object, because
a path must hold no text of a user.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from gateway.core.document import DEPTH, WORDS
from gateway.core.types import Json

Steps: TypeAlias = tuple[str | int, ...]
"""Keys and indexes from the body's root."""

Key: TypeAlias = tuple[Steps, bool]
"""What tells one place from all others of a document: its steps, and whether it is a key."""

_STEP = re.compile(r"\.(\$?\w+)|~(value|key)\[(\d+)\]|\[(\d+)\]")

_FIXED = WORDS | {"array", "auto", "boolean", "code", "const", "custom", "integer", "none", "number", "output"}
"""Words of the API and of schemas that a name could be spelled like: as a whole string or key they are left alone."""


class LostError(Exception):
    """A place that is not in the document."""


@dataclass(frozen=True, slots=True)
class Spot:
    """One string, number, list of numbers or key of a document."""

    steps: Steps
    """For a key: the steps to its object, and the key."""
    text: str = field(repr=False)
    is_key: bool = False

    @property
    def key(self) -> Key:
        return self.steps, self.is_key

    @property
    def plain(self) -> bool:
        """Whether only letters, digits, `_` and `-` are sure to be taken here: names, ids, keys, patterns."""
        last = self.steps[-1] if self.steps else ""
        return self.is_key or last in _PLAIN or (len(self.steps) > 1 and self.steps[-2] == "required")


_PLAIN = frozenset({"name", "id", "tool_call_id", "pattern", "$ref"})


def spot(document: Mapping[str, Json], path: str) -> tuple[Spot, Json]:
    """The string at a detector's path, and the value that stands there. Raises LostError."""
    node: Any = document
    steps: list[str | int] = []
    at = 1
    while at < len(path):
        match = _STEP.match(path, at)
        if match is None:
            raise LostError
        word, which, number, index = match.groups()
        at = match.end()
        try:
            if which is not None:
                word = list(node.keys())[int(number)]
            if which == "key":
                return Spot((*steps, word), str(word), is_key=True), word
            step = int(index) if index is not None else word
            node = node[step]
        except (KeyError, IndexError, TypeError, AttributeError) as error:
            raise LostError from error
        steps.append(step)
    return Spot(tuple(steps), written(node)), node


def written(node: Json) -> str:
    """A value as a detector reads it. Raises LostError for what is no text."""
    if isinstance(node, str):
        return node
    if isinstance(node, float):
        return format(node, ".17g")
    if isinstance(node, int) and not isinstance(node, bool):
        return str(node)
    if isinstance(node, list | tuple) and all(type(item) is int for item in node):
        return " ".join(map(str, node))
    raise LostError


def spots(document: Mapping[str, Json]) -> Iterator[Spot]:
    """Every string and every key: first what stands outside the messages, which changes least, then the messages."""
    for key, value in document.items():
        if key != "messages":
            yield from _under(value, (key,), 1)
    yield from _under(document.get("messages"), ("messages",), 1)


def _under(value: Json, steps: Steps, depth: int) -> Iterator[Spot]:
    if isinstance(value, str):
        if value not in _FIXED:
            yield Spot(steps, value)
    elif depth > DEPTH:
        return
    elif isinstance(value, Mapping):
        for key, item in value.items():
            if isinstance(key, str) and key not in _FIXED:
                yield Spot((*steps, key), key, is_key=True)
            yield from _under(item, (*steps, key), depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _under(item, (*steps, index), depth + 1)
    elif isinstance(value, int | float) and not isinstance(value, bool) and depth > 1 and abs(value) > 9999:
        yield Spot(steps, written(value))


@dataclass(slots=True)
class Changes:
    """New values and new keys, by place; `applied` copies what they touch and shares the rest."""

    _root: dict[Any, Any] = field(default_factory=dict)
    _size: int = 0

    def __bool__(self) -> bool:
        return bool(self._size)

    def put(self, spot: Spot, new: Json) -> None:
        node = self._root
        for step in spot.steps:
            node = node.setdefault(step, {})
        node[_KEY if spot.is_key else _VALUE] = new
        self._size += 1

    def applied(self, document: Mapping[str, Json]) -> dict[str, Json]:
        """Raises LostError where two keys of one object would become the same."""
        copy: dict[str, Json] = _rebuilt(document, self._root)
        return copy


_VALUE, _KEY = object(), object()


def _rebuilt(node: Json, changes: dict[Any, Any]) -> Json:
    if _VALUE in changes:
        return changes[_VALUE]
    if isinstance(node, Mapping):
        copy: dict[str, Json] = {}
        for key, item in node.items():
            below = changes.get(key)
            new = key if below is None else below.get(_KEY, key)
            if new in copy:
                raise LostError
            copy[new] = item if below is None else _rebuilt(item, below)
        return copy
    if isinstance(node, list | tuple):
        return [_rebuilt(item, changes[at]) if at in changes else item for at, item in enumerate(node)]
    return node

"""Tool calls as strict clients need them, from upstreams that are lax about index, id and name.

What goes on: the first fragment of a call has index, id, type, name and arguments; every later one only the index and
more arguments. What comes in may lack the index, say index 0 for every call, repeat the id on each fragment (or invent
a new one each time), leave the id out, or send arguments as an object.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

import orjson

from gateway.core.types import Json


@dataclass(slots=True)
class _Call:
    index: int
    kind: str
    given_id: str | None
    """The id as the upstream first wrote it."""
    name: str | None = None
    waiting: str = ""
    """Arguments that came before the name did."""
    empty: bool = True

    @property
    def text_field(self) -> str:
        return "arguments" if self.kind == "function" else "input"


class ToolCalls:
    """The calls of one choice."""

    def __init__(self) -> None:
        self._calls: list[_Call] = []
        self._by_index: dict[int, _Call] = {}
        self._by_id: dict[str, _Call] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def take(self, fragments: Json) -> list[Json]:
        """The client's fragments for one event's `tool_calls`."""
        out: list[Json] = []
        touched: list[_Call] = []
        for fragment in fragments if isinstance(fragments, list) else ():
            if not isinstance(fragment, dict):
                continue
            kind = "custom" if isinstance(fragment.get("custom"), dict) else "function"
            inner = fragment.get(kind)
            inner = inner if isinstance(inner, dict) else {}
            name = inner.get("name") if isinstance(inner.get("name"), str) else None
            call = self._find(fragment, name or None, kind, touched)
            touched.append(call)
            out += self._emit(call, name or None, _text(inner.get(call.text_field)))
        return out

    def close(self) -> list[Json]:
        """What the last fragments left open: a call without arguments gets the empty object that clients parse."""
        bare = [call for call in self._calls if call.name and call.empty and call.kind == "function"]
        return [{"index": call.index, "function": {"arguments": "{}"}} for call in bare]

    @property
    def nameless(self) -> bool:
        return any(call.name is None for call in self._calls)

    def _find(self, fragment: dict[str, Any], name: str | None, kind: str, touched: list[_Call]) -> _Call:
        index, given = fragment.get("index"), fragment.get("id")
        given = given if isinstance(given, str) and given else None
        index = index if isinstance(index, int) else None
        if index is not None:
            call = self._by_index.get(index)
        elif given is not None:
            call = self._by_id.get(given)
        else:
            call = self._calls[-1] if self._calls and name is None else None
        if call is not None and name is not None and self._another(call, given, name, touched):
            # Index 0 for every call: an id seen before leads back to its own call.
            call = self._by_id.get(given) if given is not None else None
        if call is None:
            call = _Call(len(self._calls), kind, given)
            self._calls.append(call)
        if index is not None:
            self._by_index[index] = call
        if given is not None:
            self._by_id.setdefault(given, call)
        return call

    @staticmethod
    def _another(call: _Call, given: str | None, name: str, touched: list[_Call]) -> bool:
        """Whether a fragment with a name under a known index begins another call.

        An id alone proves nothing: some servers invent one for every fragment. With a name beside it, it does.
        """
        if call.name is None:
            return False
        if given is not None and call.given_id is not None:
            return given != call.given_id
        return name != call.name or call in touched

    def _emit(self, call: _Call, name: str | None, text: str) -> list[Json]:
        call.empty = call.empty and not text
        if call.name is not None:
            return [{"index": call.index, call.kind: {call.text_field: text}}] if text else []
        call.waiting += text
        if name is None:
            return []
        call.name = name
        opening = {"name": name, call.text_field: call.waiting}
        call.waiting = ""
        return [{"index": call.index, "id": self._own_id(call), "type": call.kind, call.kind: opening}]

    def _own_id(self, call: _Call) -> str:
        given = call.given_id
        if given is not None and self._by_id.get(given) is call:
            return given
        return f"call_{secrets.token_hex(12)}"


def _text(value: Json) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else orjson.dumps(value).decode()

"""One answer while it is given: its pieces put together per choice and tool call, remembered when it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.core.types import Json, Pieces
from gateway.taint.strings import Call, spoken

_MOST_CHARACTERS = 4_000_000
"""Of one answer; what comes after is not remembered."""


@dataclass(slots=True)
class _NotedCall:
    call_id: str = ""
    name: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)


class Noted:
    """The text and the tool calls of an answer so far."""

    def __init__(self) -> None:
        self._texts: dict[tuple[int, str], list[str]] = {}
        self._calls: dict[tuple[int, Json], _NotedCall] = {}
        self.characters = 0
        self.changes = 0
        """How often something was added: whoever kept the answer knows by this whether there is more."""

    @property
    def full(self) -> bool:
        return self.characters > _MOST_CHARACTERS

    def add(self, pieces: Pieces) -> None:
        for chunk in pieces:
            for key, value in chunk.delta.items():
                if not value or self.full:
                    continue
                if isinstance(value, str):
                    if key != "role":
                        self._texts.setdefault((chunk.choice, key), []).append(value)
                        self._grew(value)
                elif key == "tool_calls" and isinstance(value, Sequence):
                    for one in value:
                        self._call(chunk.choice, one)
                elif key == "function_call":
                    self._call(chunk.choice, {"index": "function_call", "function": value})

    def texts(self) -> Iterator[str]:
        for parts in self._texts.values():
            yield "".join(parts)

    def calls(self) -> Iterator[Call]:
        for call in self._calls.values():
            yield Call("", call.call_id, "".join(call.name), "".join(call.arguments))

    def _call(self, choice: int, piece: Json) -> None:
        if not isinstance(piece, Mapping):
            return
        index = piece.get("index", 0)
        call = self._calls.setdefault((choice, index if isinstance(index, int | str) else 0), _NotedCall())
        given = piece.get("id")
        if isinstance(given, str):
            call.call_id = given
            self._grew(given)
        for value, parts in zip(spoken(piece), (call.name, call.arguments), strict=True):
            if value:
                parts.append(value)
                self._grew(value)

    def _grew(self, value: str) -> None:
        self.characters += len(value)
        self.changes += 1


class WatchedAnswer:
    """The port's `Answer`: has what was noted remembered, once for each time that there is more of it.

    `remember` raises nothing and says whether it could."""

    def __init__(self, remember: Callable[[Noted], Awaitable[bool]]) -> None:
        self._remember = remember
        self._noted = Noted()
        self._kept = -1

    def note(self, pieces: Pieces) -> None:
        self._noted.add(pieces)

    async def keep(self) -> None:
        if self._kept == self._noted.changes:
            return
        kept = self._noted.changes
        if await self._remember(self._noted):
            self._kept = kept

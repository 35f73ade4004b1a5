"""Takes an answer apart into its texts, each with a reader of its own, and puts it together again in the same order.

A text is one field of one choice: content, refusal, reasoning, the arguments of one tool call. Its reader may hold
back what it cannot judge yet; that comes with the next piece, before the choice's finish, or at the end. Chunks whose
text came out as it went in are passed on as they are. Others lose their `logprobs`, which speak of other tokens.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from gateway.core.types import Chunk, Json, Pieces


class Text(Protocol):
    """Reads one text of an answer."""

    async def feed(self, text: str) -> str:
        """What may be passed on, now that `text` has come."""
        ...

    async def flush(self) -> str:
        """What was held back: nothing more comes."""
        ...


Open: TypeAlias = Callable[[str, bool], Text]
"""Makes the reader of a text: its field, and whether it is JSON."""

_TEXTS = ("reasoning_content", "content", "refusal")
_INNER = {"function": ("name", "arguments"), "custom": ("name", "input")}


@dataclass(frozen=True, slots=True)
class _Key:
    choice: int
    field: str
    call: int = -1
    kind: str = ""
    """`function` or `custom`, for the texts of a tool call."""

    def delta(self, text: str) -> dict[str, Json]:
        """The text alone, as a delta."""
        if self.call < 0:
            return {self.field: text}
        return {"tool_calls": [{"index": self.call, self.kind: {self.field: text}}]}


@dataclass(slots=True)
class Deltas:
    """One answer on its way."""

    open: Open
    json_content: bool = False
    """The client asked for JSON: `content` is."""
    other: Callable[[Json], Awaitable[Json]] | None = None
    """What becomes of a field that is no text."""
    logprobs: bool = True
    """False: no chunk keeps them. They hold tokens that no reader looked at."""
    _texts: dict[_Key, Text] = field(default_factory=dict)
    _last: dict[int, _Key] = field(default_factory=dict)
    """choice → the plain text that came last: when another begins, it has ended."""
    _keys: dict[tuple[int, str], _Key] = field(default_factory=dict)

    async def through(self, answer: AsyncGenerator[Pieces, None]) -> AsyncGenerator[Pieces, None]:
        async with aclosing(answer):
            async for pieces in answer:
                told = await self._pieces(pieces)
                if told:
                    yield told
            rest: list[Chunk] = []
            for choice in sorted({key.choice for key in self._texts}):
                rest.extend(await self._ended(choice))
            if rest:
                yield rest

    async def _pieces(self, pieces: Pieces) -> Pieces:
        told: list[Chunk] = []
        same = True
        for chunk in pieces:
            if not self.logprobs and chunk.logprobs is not None:
                chunk, same = chunk._replace(logprobs=None), False
            if not chunk.delta and chunk.finish is None:
                told.append(chunk)
                continue
            before = len(told)
            await self._chunk(chunk, told)
            same = same and len(told) == before + 1 and told[before] is chunk
        return pieces if same else told

    async def _chunk(self, chunk: Chunk, told: list[Chunk]) -> None:
        delta = chunk.delta
        if len(delta) == 1 and type(text := delta.get("content")) is str:  # by far the most
            key = self._keys.get((chunk.choice, "content"))
            new: Mapping[str, Json] = {}
            if key is not None and self._last.get(chunk.choice) is key:
                said = await self._texts[key].feed(text)
            else:
                said = await self._plain(chunk.choice, "content", text, told)
            if said == text:
                new = delta
            elif said:
                new = {"content": said}
        else:
            new = await self._delta(chunk, told)
        if chunk.finish is not None and (rest := await self._ended(chunk.choice)):
            if new:
                told.append(Chunk(chunk.choice, new))
                new = {}
            told.extend(rest)
        if new is delta or new == delta:
            told.append(chunk)
        elif new or chunk.finish is not None or chunk.usage is not None:
            told.append(chunk._replace(delta=new, logprobs=None))

    async def _delta(self, chunk: Chunk, told: list[Chunk]) -> dict[str, Any]:
        new: dict[str, Any] = {}
        for name, value in chunk.delta.items():
            if name in _TEXTS and isinstance(value, str):
                if said := await self._plain(chunk.choice, name, value, told):
                    new[name] = said
            elif name == "tool_calls" and isinstance(value, list):
                told.extend(await self._switch(chunk.choice, None))
                if calls := [call for each in value if (call := await self._call(chunk.choice, each)) is not None]:
                    new[name] = calls
            else:
                new[name] = value if self.other is None else await self.other(value)
        return new

    async def _plain(self, choice: int, name: str, text: str, told: list[Chunk]) -> str:
        key = self._keys.setdefault((choice, name), _Key(choice, name))
        told.extend(await self._switch(choice, key))
        return await self._text(key, self.json_content and name == "content").feed(text)

    async def _switch(self, choice: int, key: _Key | None) -> list[Chunk]:
        """What the text before still held, where another one begins."""
        last = self._last.get(choice)
        if key is None:
            self._last.pop(choice, None)
        else:
            self._last[choice] = key
        if last is None or last == key:
            return []
        held = await self._texts[last].flush()
        return [Chunk(choice, last.delta(held))] if held else []

    async def _call(self, choice: int, call: Json) -> Json:
        """One fragment of a tool call; None when nothing is left of it for now."""
        index = call.get("index") if isinstance(call, Mapping) else None
        if type(index) is not int:
            return call if self.other is None else await self.other(call)
        new = dict(call)
        for kind, names in _INNER.items():
            if isinstance(inner := call.get(kind), Mapping):
                new[kind] = await self._inner(choice, index, kind, inner, names)
        if new == call:
            return call
        says = set(new) - {"index"} - set(_INNER)
        return new if says or any(new.get(kind) for kind in _INNER) else None

    async def _inner(
        self, choice: int, index: int, kind: str, inner: Mapping[str, Json], names: tuple[str, ...]
    ) -> dict[str, Json]:
        new = dict(inner)
        for name in names:
            text = inner.get(name)
            if not isinstance(text, str) or not text:
                continue
            reader = self._text(_Key(choice, name, index, kind), name == "arguments")
            said = await reader.feed(text)
            if name == "name":
                said += await reader.flush()  # names come whole
            if said:
                new[name] = said
            else:
                del new[name]
        return new

    def _text(self, key: _Key, is_json: bool) -> Text:
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = self.open(key.field, is_json)
        return text

    async def _ended(self, choice: int) -> list[Chunk]:
        """What the texts of a choice still hold."""
        chunks = []
        for key in [key for key in self._texts if key.choice == choice]:
            held = await self._texts.pop(key).flush()
            if held:
                chunks.append(Chunk(choice, key.delta(held)))
        self._last.pop(choice, None)
        return chunks

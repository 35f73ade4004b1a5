"""The way back: puts the values where their placeholders stand in an answer, as it streams.

Only the beginning of a possible placeholder is held back. What belongs to another tag, another request therefore, stays
as it is. In JSON a value is written so that the JSON stays JSON.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field

from gateway.core.types import Json, Pieces
from gateway.transform.deltas import Deltas
from gateway.transform.jsontext import Lexer
from gateway.transform.pattern import Pattern

_BEFORE = 12
"""Characters already passed on that say how the next ones are to be read."""


class Restore:
    """Puts back the values of one request. Chunks that change lose their `logprobs`."""

    def __init__(self, pattern: Pattern, values: Mapping[str, str], *, json_content: bool = False) -> None:
        self._pattern = pattern
        self._values = values
        self._json_content = json_content
        self._unrestored = 0

    @property
    def unrestored(self) -> int:
        return self._unrestored

    def __call__(self, answer: AsyncGenerator[Pieces, None]) -> AsyncGenerator[Pieces, None]:
        return Deltas(self._open, self._json_content, self._other).through(answer)

    def text(self, text: str) -> str:
        """A text that is there as a whole."""
        return self._open("content", False).take(text, more=False)

    def _open(self, _: str, is_json: bool) -> Stream:
        return Stream(self._pattern, self._values, self._missed, Lexer() if is_json else None)

    def _missed(self) -> None:
        self._unrestored += 1

    async def _other(self, value: Json) -> Json:
        """A part of an answer that is no text of its own: annotations and the like."""
        return self._whole(value)

    def _whole(self, value: Json) -> Json:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self._whole(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._whole(item) for item in value]
        return value


class Untouched:
    """The way back where nothing comes back."""

    unrestored = 0

    def __call__(self, answer: AsyncGenerator[Pieces, None]) -> AsyncGenerator[Pieces, None]:
        return answer


@dataclass(slots=True)
class Stream:
    """One text of an answer."""

    pattern: Pattern
    values: Mapping[str, str] = field(repr=False)
    missed: Callable[[], None]
    lexer: Lexer | None = None
    _before: str = field(default="", repr=False)
    _held: str = field(default="", repr=False)

    async def feed(self, text: str) -> str:
        return self.take(text, more=True)

    async def flush(self) -> str:
        return self.take("", more=False) if self._held else ""

    def take(self, text: str, *, more: bool) -> str:
        before = len(self._before)
        window = f"{self._before}{self._held}{text}"
        told: list[str] = []
        done, cut = before, -1
        if self.pattern.may_hold(window):
            done, cut = self._replaced(window, before, told, more)
        if cut < 0:
            cut = self.pattern.live(window, done) if more else len(window)
        if cut > done:
            told.append(self._literal(window[done:cut]))
        self._before, self._held = window[max(0, cut - _BEFORE) : cut], window[cut:]
        return told[0] if len(told) == 1 else "".join(told)

    def _replaced(self, window: str, start: int, told: list[str], more: bool) -> tuple[int, int]:
        """Where the last placeholder ends, and where one begins that is not whole yet (-1: there is none)."""
        done = start
        for match in self.pattern.matches(window, start, more=more):
            if match.end < 0:
                return done, match.start
            if match.name is None:
                self.missed()
                continue
            told.append(self._literal(window[done : match.start] + match.before))
            told.append(self._value(self.values[match.name]))
            told.append(self._literal(match.after))
            done = match.end
        return done, -1

    def _literal(self, text: str) -> str:
        if self.lexer is not None:
            self.lexer.feed(text)
        return text

    def _value(self, value: str) -> str:
        return value if self.lexer is None else self.lexer.written(value)

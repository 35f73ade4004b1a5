"""JSON that stands inside a string, as tool arguments do: what may be replaced there, and how it stays JSON."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import NamedTuple

import orjson

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|-?\d[\d.eE+\-]*', re.DOTALL)
_ESCAPE = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.", re.DOTALL)
_BLANK = frozenset({"\\n", "\\t", "\\r"})


def is_json(text: str) -> bool:
    """Whether all of `text` is a JSON object, array or string."""
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return False
    try:
        orjson.loads(text)
    except (orjson.JSONDecodeError, UnicodeEncodeError):
        return False
    return True


class Piece(NamedTuple):
    """A stretch of one token that may be replaced."""

    start: int
    end: int
    in_string: bool
    """False: a number, which becomes a string."""


def pieces(text: str, start: int, end: int) -> list[Piece]:
    """The stretches of [start, end) inside strings, cut at no escape, and the numbers it touches."""
    found: list[Piece] = []
    for token in _TOKEN.finditer(text):
        if token.start() >= end:
            break
        if token.end() <= start:
            continue
        if token[1] is None:
            found.append(Piece(token.start(), token.end(), False))
            continue
        first, last = max(start, token.start(1)), min(end, token.end(1))
        if "\\" in token[1]:
            first, last = _whole_escapes(text, token.start(1), token.end(1), first, last)
        if first < last:
            found.append(Piece(first, last, True))
    return found


def _whole_escapes(text: str, left: int, right: int, start: int, end: int) -> tuple[int, int]:
    for escape in _ESCAPE.finditer(text, left, right):
        if escape.start() < start < escape.end():
            start = escape.end() if escape[0] in _BLANK else escape.start()
        if escape.start() < end < escape.end():
            end = escape.end()
    return start, end


def unescaped(piece: str) -> str:
    """What a stretch of a JSON string says."""
    if "\\" not in piece:
        return piece
    try:
        said: str = json.loads(f'"{piece}"', strict=False)
    except ValueError:
        return piece
    return said


def escaped(value: str) -> str:
    """A value as it is written inside a JSON string."""
    return json.dumps(value, ensure_ascii=False)[1:-1]


_MARK = re.compile(r'["\\]')


@dataclass(slots=True)
class Lexer:
    """Follows JSON that arrives in pieces: is this place inside a string, and is that string JSON itself?"""

    inside: bool = False
    nested: bool = False
    """Inside a string inside the JSON that a string holds."""
    _slash: bool = False
    _holds: bool | None = False
    """Whether the string one is in began as JSON does; None while it has not begun."""

    def feed(self, text: str) -> None:
        if not self._slash and self._holds is not None and not _MARK.search(text):
            return
        for char in text:
            self._step(char)

    def _step(self, char: str) -> None:
        if not self.inside:
            if char == '"':
                self.inside, self.nested, self._holds = True, False, None
        elif self._slash:
            self._slash = False
            if char == '"' and self._holds:
                self.nested = not self.nested
        elif char == "\\":
            self._slash = True
        elif char == '"':
            self.inside, self.nested, self._holds = False, False, False
        elif self._holds is None and not char.isspace():
            self._holds = char in "{["

    def written(self, value: str) -> str:
        """`value` as it has to be written at this place."""
        once = escaped(value)
        if not self.inside:
            return f'"{once}"'
        if self._holds is None:
            self._holds = False
        return escaped(once) if self.nested else once

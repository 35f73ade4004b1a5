"""Puts the edges of successive messages together, to see a number or key that was split over several of them."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.core.types import Json
from gateway.detect.clock import Clock

EDGE = 96
"""Characters looked at on either side of a border; a shorter message takes part as a whole."""


@dataclass(frozen=True, slots=True)
class Joint:
    """A text made of edges, and where each edge comes from."""

    text: str = field(repr=False)
    starts: tuple[int, ...]
    """Where each edge begins in `text`."""
    sources: tuple[tuple[str, int], ...]
    """(path, offset in the string there) of each edge."""
    borders: tuple[int, ...]
    """Offsets in `text` that stand between two messages."""
    proven: bool = False
    """The parts belong together only perhaps: what luck passes does not count."""

    def crosses(self, start: int, end: int) -> bool:
        index = bisect_right(self.borders, start)
        return index < len(self.borders) and self.borders[index] < end

    def place(self, start: int, end: int) -> tuple[str, int, int]:
        """Path and span of the part that stands in the first message it touches."""
        index = bisect_right(self.starts, start) - 1
        stop = self.starts[index + 1] if index + 1 < len(self.starts) else len(self.text)
        path, offset = self.sources[index]
        return path, offset + start - self.starts[index], offset + min(end, stop) - self.starts[index]


def beside(siblings: Sequence[Sequence[tuple[str, str]]], clock: Clock) -> Iterator[Joint]:
    """What strings and integers of one list or object spell together, glued and with a space between."""
    for chain in siblings:
        if sum(len(text) for _, text in chain) < _SHORTEST:
            continue
        clock.check()
        parts = [("", path, text) for path, text in chain if text and not text.isspace()]
        edges = (text if len(text) <= 2 * EDGE else text[:EDGE] + text[-EDGE:] for _, _, text in parts)
        digits = [sum(map(str.isdigit, edge)) for edge in edges]
        if len(parts) > 1 and sum(digits) >= _DIGITS and _split(parts):
            yield from (_join(parts, glue, proven=True) for glue in ("", " "))


def inside(document: Mapping[str, Json]) -> Iterator[list[tuple[str, str]]]:
    """For every message of several kinds of text: its content, its refusal and the arguments of its calls."""
    messages = document.get("messages")
    for index, message in enumerate(messages if isinstance(messages, list | tuple) else ()):
        if not isinstance(message, Mapping) or not message.keys() & _MORE:
            continue
        root = f"$.messages[{index}]"
        chain = [(path, text) for _, path, text in _content(message, root)]
        chain += [(f"{root}.{key}", message[key]) for key in ("refusal", "reasoning_content") if _is_text(message, key)]
        calls = message.get("tool_calls")
        named = [
            (f"{root}.tool_calls[{number}].function", call.get("function"))
            for number, call in enumerate(calls if isinstance(calls, list | tuple) else ())
            if isinstance(call, Mapping)
        ]
        named.append((f"{root}.function_call", message.get("function_call")))
        chain += [
            (f"{path}.arguments", call["arguments"])
            for path, call in named
            if isinstance(call, Mapping) and _is_text(call, "arguments")
        ]
        yield chain


_MORE = frozenset({"refusal", "reasoning_content", "tool_calls", "function_call"})
_DIGITS, _SHORTEST = 7, 12
"""A number that proves itself has no fewer digits, and no fewer characters."""


def _is_text(value: Mapping[str, Json], key: str) -> bool:
    return isinstance(value.get(key), str)


def masked(said: str) -> str:
    """Words alone: the numbers of another turn are no part of this one's."""
    return _DIGIT.sub("#", said)


def lefts(document: Json) -> dict[str, str]:
    """Path → the end of what was said before: words there say what this turn or part begins with."""
    found: dict[str, str] = {}
    said = ""
    for _, path, text in _contents(document.get("messages") if isinstance(document, Mapping) else None):
        if said:
            found[path] = said
        said = f"{said}\n{text[-_LEFT:]}"[-_LEFT:]
    return found


_DIGIT = re.compile(r"\d")
_LEFT = 56
"""With four line ends behind it, as far as a context word may stand from a value."""


def joints(document: Mapping[str, Json]) -> list[Joint]:
    """What successive messages spell across their borders: all of them, and those that are not the assistant's.

    Each once with the border as a line end and once with nothing there. Borders between prose are passed over: what
    was split has a letter or digit on both sides.
    """
    everything = [turn for turn in _contents(document.get("messages")) if turn[2] and not turn[2].isspace()]
    if len(everything) < 2:
        return []
    chains = [everything]
    if any(turn[0] == "assistant" for turn in everything):
        chains.append([turn for turn in everything if turn[0] != "assistant"])
    return [_join(chain, glue) for chain in chains if _split(chain) for glue in ("", "\n")]


def _split(chain: list[tuple[str, str, str]]) -> bool:
    """Whether something could have been cut at one of the borders."""
    before = ""
    for _, _, text in chain:
        if before and _splittable(before) and _splittable(_first(text)):
            return True
        before = _last(text)
    return False


def _first(text: str) -> str:
    return text[0] if not text[0].isspace() else text.lstrip()[0]


def _last(text: str) -> str:
    return text[-1] if not text[-1].isspace() else text.rstrip()[-1]


def _contents(messages: Json) -> Iterator[tuple[str, str, str]]:
    """(role, path, text) of every message text, in order."""
    for index, message in enumerate(messages if isinstance(messages, list | tuple) else ()):
        if isinstance(message, Mapping):
            yield from _content(message, f"$.messages[{index}]")


def _content(message: Mapping[str, Json], root: str) -> Iterator[tuple[str, str, str]]:
    content, path, role = message.get("content"), f"{root}.content", str(message.get("role"))
    if isinstance(content, str):
        yield role, path, content
    for number, part in enumerate(content if isinstance(content, list | tuple) else ()):
        if isinstance(part, str):
            yield role, f"{path}[{number}]", part
        elif isinstance(part, Mapping) and isinstance(part.get("text"), str):
            yield role, f"{path}[{number}].text", part["text"]


def _join(chain: list[tuple[str, str, str]], glue: str, *, proven: bool = False) -> Joint:
    parts: list[str] = []
    starts: list[int] = []
    sources: list[tuple[str, int]] = []
    borders: list[int] = []
    length = 0

    def add(text: str, path: str, offset: int) -> None:
        nonlocal length
        starts.append(length)
        sources.append((path, offset))
        parts.append(text)
        length += len(text)

    for _, path, text in chain:
        body = text.strip()
        left = text.index(body[0])
        if length:
            if glue:
                add(glue, path, left)
            borders.append(length)
        if len(body) <= 2 * EDGE:
            add(body, path, left)
        else:
            add(body[:EDGE], path, left)
            add(" … ", path, left + EDGE)
            add(body[-EDGE:], path, left + len(body) - EDGE)
    return Joint("".join(parts), tuple(starts), tuple(sources), tuple(borders), proven)


def _splittable(char: str) -> bool:
    return char.isalnum() or char in "+/=_-@"

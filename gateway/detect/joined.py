"""Puts the edges of successive messages together, to see a number or key that was split over several of them."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.core.types import Json

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

    def crosses(self, start: int, end: int) -> bool:
        return any(start < border < end for border in self.borders)

    def place(self, start: int, end: int) -> tuple[str, int, int]:
        """Path and span of the part that stands in the first message it touches."""
        index = bisect_right(self.starts, start) - 1
        stop = self.starts[index + 1] if index + 1 < len(self.starts) else len(self.text)
        path, offset = self.sources[index]
        return path, offset + start - self.starts[index], offset + min(end, stop) - self.starts[index]


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
        if not isinstance(message, Mapping):
            continue
        content, path = message.get("content"), f"$.messages[{index}].content"
        role = str(message.get("role"))
        if isinstance(content, str):
            yield role, path, content
        for number, part in enumerate(content if isinstance(content, list | tuple) else ()):
            if isinstance(part, str):
                yield role, f"{path}[{number}]", part
            elif isinstance(part, Mapping) and isinstance(part.get("text"), str):
                yield role, f"{path}[{number}].text", part["text"]


def _join(chain: list[tuple[str, str, str]], glue: str) -> Joint:
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
    return Joint("".join(parts), tuple(starts), tuple(sources), tuple(borders))


def _splittable(char: str) -> bool:
    return char.isalnum() or char in "+/=_-@"

"""Walks over every string of a JSON document, in any field, keys included, and says what it cannot read.

There is no list of fields to look at: a field nobody has heard of is walked like any other. What is listed is what can
be read inside a `content` list; any other part there is unreadable.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.document import DEPTH, WORDS
from gateway.core.types import Json, Unreadable
from gateway.detect.clock import Clock

NODES = 400_000
_OFTEN = 256
CHARACTERS = 8_000_000
PAYLOAD = 4096
"""How much of a string inside an unreadable part is still looked at: file names and URLs, not pixels."""

_READABLE = frozenset(
    {"text", "input_text", "output_text", "refusal", "summary_text", "reasoning", "reasoning_text", "thinking",
     "tool_use", "tool_result", "tool_call", "function_call", "function_call_output"}
)  # fmt: skip
_SEALED = frozenset({"redacted_thinking", "encrypted_reasoning"})
"""Thinking that nobody can read. As a part of a message no wire sends it, and the local engine leaves it aside: there
it is no reason to stay. Anywhere else it is one, since it may go out."""
_PARTS = {
    "image_url": "image", "input_image": "image", "image": "image", "image_file": "image", "output_image": "image",
    "video_url": "image", "video": "image", "input_video": "image",
    "input_audio": "audio", "audio": "audio", "output_audio": "audio", "audio_url": "audio",
    "file": "file", "input_file": "file", "document": "file", "container_upload": "file", "file_url": "file",
}  # fmt: skip
_OF_A_MESSAGE = re.compile(r"\$\.messages\[\d+\]\.content")
_HANDLES = {"file_id": "file", "file_ids": "file", "file_data": "file", "attachments": "file"}
"""Fields that point to content elsewhere, wherever they stand."""


@dataclass(frozen=True, slots=True)
class Text:
    """One string to scan."""

    path: str
    text: str = field(repr=False)
    label: str = field(default="", repr=False)
    """The key it stands under, where that is not a word of the API: context for what the string means."""


@dataclass(slots=True)
class Walk:
    texts: list[Text] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    characters: int = 0
    nodes: int = 0
    full: bool = False
    siblings: list[list[tuple[str, str]]] = field(default_factory=list)
    """(path, text) of the strings and integers that stand in one list or object, where there are several."""
    clock: Clock | None = None
    at_most: float = math.inf
    """Nodes after which to give up."""
    pause: int = _OFTEN
    """Nodes after which to look at the clock again."""

    def look(self) -> None:
        self.pause = self.nodes + _OFTEN
        if self.clock is not None:
            self.clock.check()
        if self.nodes > self.at_most:
            raise TooManyError


class TooManyError(Exception):
    """The document has more nodes than the caller wanted to see here."""


def walk(document: Json, clock: Clock | None = None, at_most: float = math.inf) -> Walk:
    """Every string and every long number of `document`. Raises DeadlineError, and TooManyError past `at_most` nodes."""
    seen = Walk(clock=clock, at_most=at_most)
    _visit(seen, document, "$", "", 0, math.inf)
    return seen


def _visit(seen: Walk, value: Json, path: str, label: str, depth: int, cap: float) -> None:
    seen.nodes += 1
    if seen.nodes > seen.pause:
        seen.look()
    if seen.full:
        return
    if depth > DEPTH or seen.nodes > NODES:
        seen.full = seen.nodes > NODES
        seen.unreadable.append(Unreadable(path, "too_large" if seen.full else "too_deep"))
    elif isinstance(value, str):
        _text(seen, value, path, label, cap)
    elif isinstance(value, Mapping):
        _object(seen, value, path, depth, cap)
    elif isinstance(value, list | tuple):
        _list(seen, value, path, label, depth, cap)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _number(seen, value, path, label)
    elif value is not None and not isinstance(value, bool):
        seen.unreadable.append(Unreadable(path, "unknown_part"))  # no JSON: whoever built this knows what it is


def _text(seen: Walk, text: str, path: str, label: str, cap: float) -> None:
    if not label and text in WORDS:
        return
    if len(text) > cap:
        text = text[: int(cap)]
    seen.characters += len(text)
    if seen.characters > CHARACTERS:
        seen.full = True
        seen.unreadable.append(Unreadable(path, "too_large"))
    else:
        seen.texts.append(Text(path, text, label))


def _number(seen: Walk, value: float, path: str, label: str) -> None:
    if -9_999_999 < value < 9_999_999 and isinstance(value, int):
        if label:
            _text(seen, str(value), path, label, math.inf)
        return
    try:
        written = str(value) if isinstance(value, int) else format(value, ".17g")
    except ValueError:  # an integer of more digits than Python writes out
        seen.unreadable.append(Unreadable(path, "too_large"))
        return
    if len(written) > 5:
        _text(seen, written, path, label, math.inf)


def _object(seen: Walk, value: Mapping[Json, Json], path: str, depth: int, cap: float) -> None:
    beside: list[tuple[str, str]] = []
    for index, (key, item) in enumerate(value.items()):
        if seen.full:
            break
        if key in WORDS:
            inner, label = f"{path}.{key}", ""
        else:
            inner, label = f"{path}~value[{index}]", str(key)
            _text(seen, label, f"{path}~key[{index}]", "", math.inf)
        if item is None or item is True or item is False:
            continue
        if type(item) is str and key not in _HANDLES:  # most of what there is, without a further call
            seen.nodes += 1
            _text(seen, item, inner, label, cap)
            if item not in WORDS:
                beside.append((inner, item))
            continue
        if type(item) is int:
            beside.append((inner, _written(item)))
        if key == "content" and isinstance(item, list | tuple):
            _parts(seen, item, inner, depth + 1)
            continue
        if key in _HANDLES and item:
            seen.unreadable.append(Unreadable(inner, _HANDLES[key]))
        elif key == "audio" and isinstance(item, Mapping) and "id" in item:
            seen.unreadable.append(Unreadable(inner, "audio"))  # an earlier spoken answer, by reference
        _visit(seen, item, inner, label, depth + 1, PAYLOAD if key in _HANDLES else cap)
    if len(beside) > 1:
        seen.siblings.append(beside)


def _list(seen: Walk, items: list[Json] | tuple[Json, ...], path: str, label: str, depth: int, cap: float) -> None:
    row = 1 < len(items) <= 40 and all(type(item) is int for item in items)
    if row:
        _text(seen, " ".join(map(str, items)), path, label, math.inf)  # a number cut into numbers
    beside: list[tuple[str, str]] = []
    for index, item in enumerate(items):
        if seen.full:
            break
        inner = f"{path}[{index}]"
        _visit(seen, item, inner, label, depth + 1, cap)
        if type(item) is str or type(item) is int:
            beside.append((inner, item if isinstance(item, str) else _written(item)))
    if len(beside) > 1 and not row:
        seen.siblings.append(beside)


def _written(number: int) -> str:
    """Digits of an integer; one beyond any number that a rule knows is not written out."""
    return str(number) if -(10**40) < number < 10**40 else ""


def _parts(seen: Walk, items: list[Json] | tuple[Json, ...], path: str, depth: int) -> None:
    aside = _SEALED if _OF_A_MESSAGE.fullmatch(path) else frozenset[str]()
    for index, item in enumerate(items):
        if seen.full:
            break
        inner = f"{path}[{index}]"
        reason = _reason(item, aside)
        if reason:
            seen.unreadable.append(Unreadable(inner, reason))
        _visit(seen, item, inner, "", depth + 1, PAYLOAD if reason else math.inf)


def _reason(part: Json, aside: frozenset[str]) -> str:
    """Why a content part cannot be read; '' when it can, or goes nowhere."""
    if isinstance(part, str):
        return ""
    if not isinstance(part, Mapping):
        return "unknown_part"
    named = part.get("type")
    other = next((_PARTS[key] for key in part if key in _PARTS), "")
    if named is None:
        return other or ("" if isinstance(part.get("text"), str) else "unknown_part")
    if not isinstance(named, str):
        return "unknown_part"
    return _PARTS.get(named) or other or ("" if named in _READABLE or named in aside else "unknown_part")

"""Takes private values out of answers on their way to the client, a sentence at a time."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from gateway.core.ports import Detector
from gateway.core.types import TAINT, Json, Pieces, Sensitivity
from gateway.transform.deltas import Deltas
from gateway.transform.jsontext import Lexer, pieces

AT_MOST = 200
"""Characters held back before some are passed on in the middle of a sentence."""
OVERLAP = 64
"""Characters at the end that stay for the next look, as a value may just have begun there."""
CONTEXT = 160
"""Characters already passed on that are looked at once more: words that say what comes next."""
HARD = 4000
"""Longer than this nothing is held; what is one run of letters up to here is taken out."""

LevelOf: TypeAlias = Callable[[str, str], Sensitivity]

SCRIPT = "script"
"""Why a text is unread of which only the words were not looked at."""
_PATH = "$.messages[0].content"
_SENTENCE = re.compile(r"(?<=[^\W\d][.!?…])[\"')\]]?\s+(?=[^\W\d]|[#*\->|`])|\n\s*\n|(?<=[.:;,>`])\n(?=[^\s\d])")
_BREAK = re.compile(r"(?<!\\)[^\w+/=.@\-\\]")
_KEY = re.compile(r"-----BEGIN [A-Z ]{0,40}PRIVATE KEY")
_KEY_END = "-----END"


class Guard:
    """Reads every text of an answer through the detector and redacts what the policy grades high enough.

    At most `AT_MOST` characters wait, or a number, key or sentence that is not over yet. What cannot be read is taken
    out. Tool arguments stay JSON. `logprobs` go, as they repeat the answer in tokens that nobody can read one by one.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    def __call__(
        self, answer: AsyncGenerator[Pieces, None], at_least: Sensitivity, level_of: LevelOf
    ) -> AsyncGenerator[Pieces, None]:
        def opened(_: str, is_json: bool) -> Watched:
            return Watched(self._detector, at_least, level_of, Lexer() if is_json else None)

        async def other(value: Json) -> Json:
            return await _looked_through(value, lambda: opened("", False))

        return Deltas(opened, other=other, logprobs=False).through(answer)


async def _looked_through(value: Json, opened: Callable[[], Watched]) -> Json:
    """A part of an answer that is no text of its own, each of its strings read: annotations and the like."""
    if isinstance(value, str):
        text = opened()
        return await text.feed(value) + await text.flush()
    if isinstance(value, Mapping):
        return {key: await _looked_through(item, opened) for key, item in value.items()}
    if isinstance(value, list):
        return [await _looked_through(item, opened) for item in value]
    return value


@dataclass(slots=True)
class Watched:
    """One text of an answer."""

    detector: Detector
    at_least: Sensitivity
    level_of: LevelOf
    lexer: Lexer | None = None
    _said: str = field(default="", repr=False)
    """The end of what was passed on, as it was before anything was taken out."""
    _held: str = field(default="", repr=False)
    _looked: int = 0
    """Characters of `_held` that were no reason to pass anything on."""
    _enough: int = 0
    """Characters held before there is another look: the last one found a value that had not ended."""

    async def feed(self, text: str) -> str:
        if not self._said and not self._held and self.lexer is None and text.lstrip()[:1] == "{":
            self.lexer = Lexer()
        self._held += text
        if len(self._held) < self._enough:
            return ""
        cut = self._cut()
        return await self._passed(cut, more=True) if cut else ""

    async def flush(self) -> str:
        return await self._passed(len(self._held), more=False) if self._held else ""

    def _cut(self) -> int:
        """How far the text may be passed on if nothing is found; 0 = wait."""
        held = self._held
        start = max(0, self._looked - 3)
        ends = [match.end() for match in _SENTENCE.finditer(held, start)]
        self._looked = len(held)
        cut = ends[-1] if ends else 0
        if not cut and len(held) > AT_MOST:
            breaks = [match.end() for match in _BREAK.finditer(held, 0, len(held) - OVERLAP)]
            cut = breaks[-1] if breaks else len(held) - OVERLAP if len(held) > HARD else 0
        key = _KEY.search(held)
        if key and _KEY_END not in held[key.end() :] and len(held) < HARD:
            cut = min(cut, key.start())
        return cut

    async def _passed(self, cut: int, *, more: bool) -> str:
        """The first `cut` characters, or fewer where a value lies across, without what was found."""
        spans, readable = await self._found()
        if not readable:
            spans = [(0, cut, "unreadable")]
        for start, end, _ in spans if more else ():
            if start < cut < end and len(self._held) < HARD:
                cut = start
        text, self._held = self._held[:cut], self._held[cut:]
        self._said, self._looked = (self._said + text)[-CONTEXT:], 0
        # A value that goes on for long is looked at a few times, not once for every piece of it.
        self._enough = 0 if cut else min(HARD, len(self._held) * 5 // 4 + OVERLAP)
        return self._without(text, [(start, min(end, cut), kind) for start, end, kind in spans if start < cut])

    async def _found(self) -> tuple[list[tuple[int, int, str]], bool]:
        """(start, end, kind) in what is held of all that has to go; whether it could be read at all."""
        size = len(self._said)
        document = {"messages": [{"role": "assistant", "content": self._said + self._held}]}
        try:
            scan = await self.detector.scan(document)
        except Exception:  # noqa: BLE001 - whatever it is, nobody has read this
            return [], False
        spans = []
        for found in scan.findings:
            if found.detector == TAINT or self.level_of(found.kind, found.category) < self.at_least:
                continue
            if found.place.path != _PATH:
                return [], False
            if found.place.end > size:
                spans.append((max(0, found.place.start - size), found.place.end - size, found.kind))
        key = _KEY.search(self._held)
        if key and self.level_of("private_key", "secret") >= self.at_least:
            end = self._held.find(_KEY_END, key.end())
            line = self._held.find("\n", end) if end >= 0 else -1
            spans.append((key.start(), line if line >= 0 else len(self._held), "private_key"))
        # An answer in Greek is what was asked for. Numbers, addresses and keys are found in it all the same.
        return _merged(spans), all(part.reason == SCRIPT for part in scan.unreadable)

    def _without(self, text: str, spans: list[tuple[int, int, str]]) -> str:
        if self.lexer is None:
            return _redacted(text, [(start, end, kind, False) for start, end, kind in spans])
        began = self.lexer.inside
        self.lexer.feed(text)
        if not spans:
            return text
        opened = f'"{text}' if began else text
        whole = f'{opened}"' if self.lexer.inside else opened
        shift = int(began)
        clipped = [
            (piece.start - shift, piece.end - shift, kind, not piece.in_string)
            for start, end, kind in spans
            for piece in pieces(whole, start + shift, end + shift)
        ]
        return _redacted(text, clipped)


def _merged(spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    merged: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(spans, key=lambda span: (span[0], -span[1])):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]), merged[-1][2])
        else:
            merged.append((start, end, kind))
    return merged


def _redacted(text: str, spans: list[tuple[int, int, str, bool]]) -> str:
    told: list[str] = []
    done = 0
    for start, end, kind, quoted in spans:
        mark = f"[redacted: {kind}]"
        told += (text[done:start], f'"{mark}"' if quoted else mark)
        done = end
    return "".join((*told, text[done:]))

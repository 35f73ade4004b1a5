"""Says where a text is written in letters that no rule and no list of words here reads, so that it counts as unread.

Checksums, addresses of electronic mail and keys are found in any surroundings. What a sentence says is read in five
languages, all of which have Latin letters: in other letters nobody has looked for names, health or a mark of secrecy.
Other languages in Latin letters are no business of this file; a permit can name the languages that it is for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import anyio.to_thread

from gateway.core.types import Json, Scan, Unreadable
from gateway.detect.clock import Clock, DeadlineError
from gateway.detect.walk import TooManyError, walk
from gateway.detect.worded import Around, Worded, pack_of

ENOUGH = 16
"""Letters in one text that make it one of another script: a sentence, more than a name, a quoted word or a formula."""

_SYLLABLE = 3
"""What one sign counts for in scripts where it stands for a syllable or a word."""
_SYLLABLES_FROM = "\u2e80"
_OTHER = re.compile(
    r"[\u0370-\u1CFF\u1F00-\u1FFF\u2C80-\uA71F\uA800-\uAB2F\uAB70-\uD7FF\uF900-\uFAFF\uFB07-\uFEFF\uFF66-\uFFDF"
    r"\U00010000-\U0001D3FF\U0001D800-\U0003FFFF]"
)
"""All but Latin letters, their accented, wide and mathematical forms, and what no script calls its own."""
_NODES, _CHARACTERS = 2000, 50_000
"""A document with more is looked at in a thread."""


class Scripts(Around):
    """`inner`, and an unreadable part for each text in other letters."""

    def __init__(self, inner: Worded, *, deadline_ms: float = 250.0) -> None:
        """`deadline_ms` is processor time for one document, on top of what `inner` takes."""
        super().__init__(inner)
        self._deadline_ms = deadline_ms

    @property
    def pack(self) -> str:
        return pack_of(self._inner.pack, "scripts 1")

    async def scan(self, document: Mapping[str, Json], seen: dict[Any, Any] | None = None) -> Scan:
        scan = replace(await self._inner.scan(document, seen), pack=self.pack)
        try:
            try:
                unread = self._unread(document, at_most=_NODES, characters=_CHARACTERS)
            except TooManyError:
                unread = await anyio.to_thread.run_sync(self._unread, document)
        except DeadlineError:
            unread = (Unreadable("$", "deadline"),)
        except Exception:  # noqa: BLE001 - whatever it is, nobody knows in which letters this is written
            unread = (Unreadable("$", "detector_failed"),)
        if not unread:
            return scan
        return replace(scan, unreadable=tuple(dict.fromkeys((*scan.unreadable, *unread))), generic=False)

    def _unread(
        self, document: Mapping[str, Json], at_most: float = float("inf"), characters: float = float("inf")
    ) -> tuple[Unreadable, ...]:
        if _ascii(document, at_most):
            return ()
        clock = Clock(self._deadline_ms)  # in this thread: processor time is counted per thread
        walked = walk(document, clock, at_most)
        if walked.characters > characters:
            raise TooManyError
        unread = []
        for text in walked.texts:
            if not text.text.isascii():
                clock.check()
                if in_other_letters(text.text):
                    unread.append(Unreadable(text.path, "script"))
        return tuple(unread)


def in_other_letters(text: str) -> bool:
    count = 0
    for match in _OTHER.finditer(text):
        if match[0].isalpha():
            count += _SYLLABLE if match[0] >= _SYLLABLES_FROM else 1
            if count >= ENOUGH:
                return True
    return False


def _ascii(document: Json, at_most: float) -> bool:
    """Whether every string is, which is so for most documents and costs next to nothing to see."""
    left, nodes = [document], 0
    while left:
        value = left.pop()
        nodes += 1
        if nodes > at_most:
            raise TooManyError
        if isinstance(value, str):
            if not value.isascii():
                return False
        elif isinstance(value, Mapping):
            left.extend(value)
            left.extend(value.values())
        elif isinstance(value, list | tuple):
            left.extend(value)
    return True

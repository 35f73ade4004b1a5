"""A text with its findings marked, for a person's eyes on a terminal and nowhere else."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from gateway.core.types import Sensitivity

_AROUND = 60
"""Signs of context on either side of a mark in a long text."""
_SHORT = 400
"""A text this long is shown whole."""
_COLOURS = {Sensitivity.INTERNAL: "\x1b[36m", Sensitivity.CONFIDENTIAL: "\x1b[33m", Sensitivity.RESTRICTED: "\x1b[31m"}
_FAINT, _PLAIN = "\x1b[2m", "\x1b[0m"


@dataclass(frozen=True, slots=True)
class Mark:
    """A stretch of text and what was found there."""

    start: int
    end: int
    kinds: tuple[str, ...]
    level: Sensitivity


def coloured() -> bool:
    """Whether the terminal and its owner like colours (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def marked(text: str, marks: Sequence[Mark], *, colour: bool) -> str:
    """The text around its marks. Nothing in it steers the terminal: other signs than printable ones show as dots."""
    merged = list(_merged(marks))
    pieces = ["" if _begins(text, merged) == 0 else "… "]
    at = _begins(text, merged)
    for mark, after in pairwise([*merged, None]):
        assert mark is not None
        pieces.append(_shown(text[at : mark.start]))
        pieces.append(_mark(_shown(text[mark.start : mark.end]), mark, colour=colour))
        at = mark.end
        if len(text) > _SHORT and (after is None or after.start - at > 2 * _AROUND):
            pieces.append(_shown(text[at : at + _AROUND]) + (" … " if at + _AROUND < len(text) else ""))
            at = max(at, (len(text) if after is None else after.start - _AROUND))
    if len(text) <= _SHORT:
        pieces.append(_shown(text[at:]))
    return "".join(pieces)


def _begins(text: str, marks: Sequence[Mark]) -> int:
    return 0 if len(text) <= _SHORT or not marks else max(0, marks[0].start - _AROUND)


def _merged(marks: Sequence[Mark]) -> Iterator[Mark]:
    """Those that overlap as one, graded as the gravest."""
    held: Mark | None = None
    for mark in sorted(marks, key=lambda each: (each.start, each.end)):
        if held is not None and mark.start < held.end:
            kinds = tuple(dict.fromkeys((*held.kinds, *mark.kinds)))
            held = Mark(held.start, max(held.end, mark.end), kinds, max(held.level, mark.level))
            continue
        if held is not None:
            yield held
        held = mark
    if held is not None:
        yield held


def _mark(text: str, mark: Mark, *, colour: bool) -> str:
    kinds = "+".join(mark.kinds)
    if colour:
        return f"{_COLOURS.get(mark.level, '')}{text}{_PLAIN}{_FAINT}[{kinds}]{_PLAIN}"
    return f"[{kinds}: {text}]"


def _shown(text: str) -> str:
    return "".join(sign if sign.isprintable() or sign in "\n\t" else "·" for sign in text)

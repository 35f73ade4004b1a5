"""Patterns written so that they are searched faster: a rule finds the same with them."""

from __future__ import annotations

import re

_BEHIND = re.compile(
    r"\A(?P<flags>\(\?i\))?\(\?<!(?P<before>\[[^\]\\]*(?:\\.[^\]\\]*)*\]|\\d)\)"
    r"(?P<first>\[[^\]\\]*(?:\\.[^\]\\]*)*\]|\\d|[0-9])(?:\{(?P<least>[1-9]\d*)(?:,(?P<most>\d+))?\})?(?![*+?{])"
)
_REPEAT = re.compile(r"(?<!\\)\{(\d+),(\d+)\}")
_MANY = 10
"""A repeat that may go on for so long is a long one."""


def led(pattern: str) -> str:
    """The same pattern, with what may not stand before a match asked for behind its first character.

    `re` runs through a text for a first character ten times as fast as it looks behind itself at every place.
    """
    return _BEHIND.sub(_led, pattern)


def _led(match: re.Match[str]) -> str:
    first, least, most = match["first"], int(match["least"] or 1) - 1, match["most"]
    if match["flags"] and re.search("[A-Za-z]", first.replace(r"\d", "")):
        return match.group()  # there are no first characters where case makes no difference
    times = f"{{{least},{int(most) - 1}}}" if most else f"{{{least}}}" if least else ""
    rest = f"{first}{times}" if times else ""
    return f"{match['flags'] or ''}{first}(?<!{match['before']}(?s:.)){rest}"


def loose(gate: str) -> str:
    """A rule's gate without the upper limits of long repeats, which an automaton has to count: it says yes to all that
    it said yes to, is a third smaller and compiled in half the time."""
    return _REPEAT.sub(lambda repeat: repeat[0] if int(repeat[2]) < _MANY else f"{{{repeat[1]},}}", gate)

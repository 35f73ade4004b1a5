"""Regular expressions as JSON schemas use them (ECMAScript's), read into a form that a grammar can be written from.

What is not regular, or would not mean the same in a grammar, is refused: looking around, back references, word
borders, anchors within.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Ranges: TypeAlias = tuple[tuple[int, int], ...]
"""Sorted, apart, inclusive code points."""

MOST_REPEATS = 1000
_MOST_NESTED = 20
_MOST_LENGTH = 2000

_END = 0x10FFFF
_SURROGATES = ((0xD800, 0xDFFF),)
_DIGITS: Ranges = ((0x30, 0x39),)
_WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
_SPACE: Ranges = (
    *((0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A)),
    *((0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF)),
)
_LINE_ENDS: Ranges = ((0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029))
_CONTROLS = {"n": 0x0A, "r": 0x0D, "t": 0x09, "f": 0x0C, "v": 0x0B, "0": 0x00}


class PatternError(ValueError):
    """Why a pattern cannot be held to; no text of it."""


@dataclass(frozen=True, slots=True)
class Set:
    """One character out of these."""

    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Chain:
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Either:
    options: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Repeat:
    part: Node
    least: int
    most: int | None


Node: TypeAlias = Set | Chain | Either | Repeat


def union(*all_ranges: Sequence[tuple[int, int]]) -> Ranges:
    joined: list[tuple[int, int]] = []
    for low, high in sorted(pair for ranges in all_ranges for pair in ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], high))
        else:
            joined.append((low, high))
    return tuple(joined)


def complement(ranges: Sequence[tuple[int, int]]) -> Ranges:
    """Every other character; surrogates are none."""
    left, start = [], 0
    for low, high in union(ranges, _SURROGATES):
        if start < low:
            left.append((start, low - 1))
        start = high + 1
    return (*left, (start, _END)) if start <= _END else tuple(left)


ANY = Set(complement(()))


def parse_pattern(pattern: str) -> Node:
    """What a whole string must look like to match; without anchors, anything may stand around the match."""
    if len(pattern) > _MOST_LENGTH:
        raise PatternError(f"it is longer than {_MOST_LENGTH} characters")
    return _Reader(pattern).whole()


def lengths(node: Node) -> tuple[int, int | None]:
    """The least and the most characters of what matches; None = without end."""
    if isinstance(node, Set):
        return 1, 1
    if isinstance(node, Repeat):
        least, most = lengths(node.part)
        endless = most is None or node.most is None
        return least * node.least, 0 if most == 0 else None if endless else (most or 0) * (node.most or 0)
    together = isinstance(node, Chain)
    inner = [lengths(part) for part in (node.parts if isinstance(node, Chain) else node.options)]
    highs = [most for _, most in inner if most is not None]
    least = (sum if together else min)(low for low, _ in inner)
    return least, None if len(highs) < len(inner) else (sum(highs) if together else max(highs))


def narrowed(pattern: Node, least: int, most: int | None) -> Node:
    """A pattern that is one character over and over, in its bounds and these. Others come with fitting bounds."""
    while isinstance(pattern, Chain) and len(pattern.parts) == 1:
        pattern = pattern.parts[0]
    if isinstance(pattern, Repeat) and isinstance(pattern.part, Set):
        highs = [high for high in (pattern.most, most) if high is not None]
        return Repeat(pattern.part, max(pattern.least, least), min(highs) if highs else None)
    return pattern


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._at = 0
        self._depth = 0

    def whole(self) -> Node:
        options = [self._anchored()]
        while self._take("|"):
            options.append(self._anchored())
        if self._at < len(self._text):
            raise PatternError("a bracket is closed that was not opened")
        return options[0] if len(options) == 1 else Either(tuple(options))

    def _anchored(self) -> Node:
        """One alternative at the top, where anchors may stand."""
        anything = Repeat(ANY, 0, None)
        begins = self._take("^")
        inner = self._sequence()
        ends = self._take("$")
        if self._peek() not in ("", "|", ")"):
            raise PatternError("an anchor stands in the middle")
        return Chain((*(() if begins else (anything,)), inner, *(() if ends else (anything,))))

    def _alternatives(self) -> Node:
        options = [self._sequence()]
        while self._take("|"):
            options.append(self._sequence())
        return options[0] if len(options) == 1 else Either(tuple(options))

    def _sequence(self) -> Node:
        parts: list[Node] = []
        while self._peek() not in ("", "|", ")", "$"):
            parts.append(self._repeated(self._atom()))
        return parts[0] if len(parts) == 1 else Chain(tuple(parts))

    def _repeated(self, part: Node) -> Node:
        times = self._times()
        if times is None:
            return part
        self._take("?")  # being lazy or not does not change what matches
        if self._peek() in ("*", "+", "?", "{"):
            raise PatternError("a repetition is repeated")
        least, most = times
        if max(least, most or 0) > MOST_REPEATS or (most is not None and least > most):
            raise PatternError(f"a repetition is not from 0 to {MOST_REPEATS}")
        if lengths(part)[0] == 0 and most != 0:
            if most != 1:
                raise PatternError("it repeats what may be empty")
            return part
        return Repeat(part, least, most)

    def _times(self) -> tuple[int, int | None] | None:
        for sign, times in {"*": (0, None), "+": (1, None), "?": (0, 1)}.items():
            if self._take(sign):
                return times
        if self._peek() != "{":
            return None
        close = self._text.find("}", self._at)
        least, comma, most = self._text[self._at + 1 : close].partition(",")
        if close < 0 or not _is_count(least) or not (most == "" or _is_count(most)):
            raise PatternError("a brace that is no repetition must be escaped")
        self._at = close + 1
        return int(least), (int(most) if most else None) if comma else int(least)

    def _atom(self) -> Node:
        sign = self._next()
        if sign == "(":
            return self._group()
        if sign == "[":
            return Set(self._class())
        if sign == ".":
            return Set(complement(_LINE_ENDS))
        if sign == "\\":
            return Set(self._escape())
        if sign in "^*+?{}":
            raise PatternError(f"{sign!r} stands where it means nothing that can be enforced")
        return Set(((ord(sign), ord(sign)),))

    def _group(self) -> Node:
        self._depth += 1
        if self._depth > _MOST_NESTED:
            raise PatternError(f"its groups are nested deeper than {_MOST_NESTED}")
        if self._take("?") and not self._take(":"):
            if not self._take("<") or self._peek() in ("=", "!", ""):
                raise PatternError("it looks around")
            self._at = self._text.find(">", self._at) + 1 or len(self._text)
        inner = self._alternatives()
        if not self._take(")"):
            raise PatternError("a group is not closed, or an anchor stands in it")
        self._depth -= 1
        return inner

    def _class(self) -> Ranges:
        negated = self._take("^")
        found: list[Ranges] = []
        while not self._take("]"):
            low = self._member()
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("]", ""):
                self._next()
                high = self._member()
                if len(low) != 1 or len(high) != 1 or low[0][0] != low[0][1] or low[0][0] > high[0][0]:
                    raise PatternError("a range in brackets has no two ends")
                low = ((low[0][0], high[0][1]),)
            found.append(low)
        ranges = union(*found)
        ranges = complement(ranges) if negated else complement(complement(ranges))
        if not ranges:
            raise PatternError("brackets that match nothing")
        return ranges

    def _member(self) -> Ranges:
        sign = self._next()
        if sign != "\\":
            return ((ord(sign), ord(sign)),)
        if self._take("b"):
            return ((8, 8),)
        return self._escape()

    def _escape(self) -> Ranges:
        sign = self._next()
        sets = {"d": _DIGITS, "w": _WORD, "s": _SPACE}
        if sign.lower() in sets:
            return sets[sign] if sign in sets else complement(sets[sign.lower()])
        if sign in ("x", "u"):
            size = 2 if sign == "x" else 4
            digits = self._text[self._at : self._at + size]
            self._at += size
            if len(digits) < size or not set(digits) <= set("0123456789abcdefABCDEF"):
                raise PatternError("an escape without its digits")
            point = int(digits, 16)
            if 0xD800 <= point <= 0xDFFF:
                raise PatternError("half a character")
            return ((point, point),)
        if sign in _CONTROLS and not (sign == "0" and self._peek().isdigit()):
            return ((_CONTROLS[sign], _CONTROLS[sign]),)
        if sign.isalnum():
            raise PatternError("a back reference, a border or an unknown escape")
        return ((ord(sign), ord(sign)),)

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, sign: str) -> bool:
        if self._peek() != sign:
            return False
        self._at += 1
        return True

    def _next(self) -> str:
        sign = self._peek()
        if not sign:
            raise PatternError("it ends too early")
        self._at += 1
        return sign


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 6

"""Reads an operator's pattern and refuses whatever could take more than linear time, or fire everywhere.

The restricted kind: literals, classes, groups, alternatives and bounded repeats, no repeat inside a repeat, and in
every match a literal of three characters. Nothing is compiled that this reader has not understood to the last sign.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass

SHORTEST_ANCHOR = 3
LONGEST_MATCH = 200
"""Characters. Texts are searched in slices that overlap by so much."""
_WAYS = 256
"""In how many ways a match may be tried from one place: the factor before the length of the text."""

_CLASSES = frozenset("dwsDWS")
_LITERAL_ESCAPES = frozenset(r"\.[](){}|?*+^$-/ #&~@!%,:;<>='\"_`")


class PatternError(ValueError):
    """What is wrong, in words for whoever wrote the pattern. Never holds more of it than one sign."""


@dataclass(frozen=True, slots=True)
class Shape:
    """What is known of a part of a pattern."""

    ways: int = 1
    longest: int = 0
    anchors: tuple[str, ...] = ()
    """Literals of which every match of the part holds one; empty = none is known."""
    literal: str | None = None
    """The part is this text and nothing else."""
    repeats: bool = False
    """There is a repeat in it."""
    groups: int = 0
    """Round brackets that mark what a checksum is over."""

    @property
    def anchor_length(self) -> int:
        return min(map(len, self.anchors), default=0)


def read(pattern: str) -> Shape:
    """The pattern's shape. Raises PatternError."""
    reader = _Reader(pattern)
    shape = reader.alternatives()
    if reader.at < len(pattern):
        raise PatternError("there is a ) without its (; write \\) for the sign itself")
    if shape.ways > _WAYS:
        raise PatternError("it can match in too many ways; use fixed repeats like {8}, or fewer of them")
    if shape.longest > LONGEST_MATCH:
        raise PatternError(f"it can match more than {LONGEST_MATCH} characters; shorten its repeats")
    if shape.groups > 1:
        raise PatternError("it has several ( ); one may mark what the checksum is over, write the others (?: )")
    if shape.anchor_length < SHORTEST_ANCHOR:
        raise PatternError(
            f"each of its forms needs {SHORTEST_ANCHOR} fixed characters in a row, like the KD- of KD-[0-9]{{8}}; "
            "without them it would be tried at every place of every text"
        )
    try:
        with warnings.catch_warnings(action="error"):
            re.compile(pattern)
    except (re.error, FutureWarning) as error:
        raise PatternError("a range inside [ ] runs backwards, or two signs there mean more than themselves") from error
    return shape


class _Reader:
    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self.at = 0
        self._depth = 0

    def alternatives(self) -> Shape:
        branches = [self._sequence()]
        while self._next("|"):
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        return Shape(
            ways=sum(branch.ways for branch in branches),
            longest=max(branch.longest for branch in branches),
            anchors=tuple(anchor for branch in branches for anchor in branch.anchors)
            if all(branch.anchors for branch in branches)
            else (),
            repeats=any(branch.repeats for branch in branches),
            groups=sum(branch.groups for branch in branches),
        )

    def _sequence(self) -> Shape:
        ways, longest, groups, repeats, run = 1, 0, 0, False, ""
        best = Shape()
        whole: str | None = ""
        while self.at < len(self._pattern) and self._pattern[self.at] not in "|)":
            part = self._repeated(self._atom())
            ways, longest, groups = ways * part.ways, longest + part.longest, groups + part.groups
            repeats = repeats or part.repeats
            if part.literal is not None:
                run += part.literal
                whole = None if whole is None else whole + part.literal
            else:
                best, run, whole = _better(best, _fixed(run), part), "", None
            if ways > _WAYS * _WAYS or longest > LONGEST_MATCH * LONGEST_MATCH:
                raise PatternError("it can match in too many ways; use fixed repeats like {8}, or fewer of them")
        best = _better(best, _fixed(run))
        return Shape(ways, longest, best.anchors, whole, repeats, groups)

    def _atom(self) -> Shape:
        sign = self._take()
        if sign == "(":
            return self._group()
        if sign == "[":
            return self._class()
        if sign == "\\":
            return self._escaped()
        if sign in "*+?":
            raise PatternError(f"a {sign} stands where nothing is to be repeated; write \\{sign} for the sign itself")
        if sign in "{}":
            raise PatternError(f"a {sign} stands alone; write \\{sign} for the sign itself")
        if sign in "^$":
            raise PatternError(f"a {sign} is not needed: a pattern matches whole words; remove it")
        if sign == ".":
            return Shape(longest=1)
        return Shape(longest=1, literal=sign)

    def _group(self) -> Shape:
        marks = not self._next("?:")
        if marks and self._next("?"):
            raise PatternError("only ( ) and (?: ) are read: no lookaround, no names, no flags")
        self._depth += 1
        if self._depth > 10:
            raise PatternError("its brackets are nested too deeply; write it flat")
        inner = self.alternatives()
        self._depth -= 1
        if not self._next(")"):
            raise PatternError("there is a ( without its ); write \\( for the sign itself")
        return Shape(inner.ways, inner.longest, inner.anchors, inner.literal, inner.repeats, inner.groups + int(marks))

    def _class(self) -> Shape:
        self._next("^")
        first = True
        while first or not self._next("]"):
            sign = self._take("there is a [ without its ]; write \\[ for the sign itself")
            if sign == "\\" and (sign := self._take()).isalnum() and sign not in _CLASSES:
                raise PatternError(f"\\{sign} is not read inside [ ]; write the characters themselves")
            if sign == "[" or (first and sign == "]"):
                raise PatternError(f"write \\{sign} for the sign itself inside [ ]")
            first = False
        return Shape(longest=1)

    def _escaped(self) -> Shape:
        sign = self._take("it ends in a \\; write \\\\ for the sign itself")
        if sign in _CLASSES:
            return Shape(longest=1)
        if sign in _LITERAL_ESCAPES:
            return Shape(longest=1, literal=sign)
        if sign.isdigit():
            raise PatternError(f"\\{sign} refers back to a bracket, which can take very long; write the form out")
        raise PatternError(f"\\{sign} is not read; \\d, \\w and \\s are, and \\ before a sign")

    def _repeated(self, part: Shape) -> Shape:
        least, most = self._repeat()
        if (least, most) == (1, 1):
            return part
        if part.repeats:
            raise PatternError("a repeat stands inside a repeat, which can take very long; write the form out")
        if self.at < len(self._pattern) and self._pattern[self.at] in "?*+{":
            raise PatternError("a repeat is repeated; one of {n}, {n,m} and ? is enough")
        if part.literal is not None and least == most and least * len(part.literal) <= LONGEST_MATCH:
            return Shape(longest=part.longest * most, literal=part.literal * most, repeats=True, groups=part.groups)
        if part.groups:
            raise PatternError("the ( ) that marks what a checksum is over is repeated; put the repeat inside it")
        ways = sum(part.ways**times for times in range(least, most + 1))
        return Shape(ways, part.longest * most, part.anchors if least else (), None, True, part.groups)

    def _repeat(self) -> tuple[int, int]:
        if self._next("?"):
            return 0, 1
        if self.at < len(self._pattern) and self._pattern[self.at] in "*+":
            sign = self._take()
            raise PatternError(f"{sign} repeats without end; say how often at most, for example {{1,20}}")
        if not self._next("{"):
            return 1, 1
        closing = self._pattern.find("}", self.at)
        least, comma, most = self._pattern[self.at : max(closing, self.at)].partition(",")
        if closing < 0 or not _count(least) or (comma and most and not _count(most)):
            raise PatternError("a { is followed by no {n} or {n,m}; write \\{ for the sign itself")
        if comma and not most:
            raise PatternError(f"{{{least},}} repeats without end; say how often at most, for example {{{least},20}}")
        self.at = closing + 1
        low, high = int(least), int(most or least)
        if low > high or high == 0 or high > LONGEST_MATCH:
            raise PatternError(f"a repeat goes from 0 to at most {LONGEST_MATCH}, the smaller number first")
        return low, high

    def _take(self, missing: str = "it ends too early") -> str:
        if self.at >= len(self._pattern):
            raise PatternError(missing)
        self.at += 1
        return self._pattern[self.at - 1]

    def _next(self, text: str) -> bool:
        if not self._pattern.startswith(text, self.at):
            return False
        self.at += len(text)
        return True


def _count(digits: str) -> bool:
    return digits.isascii() and digits.isdigit() and len(digits) <= 4


def _fixed(run: str) -> Shape:
    """A literal as an anchor. Spaces do not count: they come in too many kinds."""
    longest = max(run.lower().split(), key=len, default="")
    return Shape(anchors=(longest,) if longest else ())


def _better(*shapes: Shape) -> Shape:
    return max(shapes, key=lambda shape: shape.anchor_length)

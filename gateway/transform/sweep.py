"""Finds what was found once wherever else it stands: the same value, spelled alike, and the parts of people's names.

A detector sees a number beside the word that gives it away; three messages later it stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.transform.jsontext import escaped
from gateway.transform.names import ordinary, titled

_MARKS = re.compile(r"[\W_]+")
_GAP = r"[\s._/\-]{0,2}"
_SHORTEST, _SHORTEST_NUMBER, _SHORTEST_NAME = 6, 5, 3
_SHORTEST_SECRET = 4
"""Of a secret that is no mere word."""
_LONG = 16
"""From this length on a value counts inside a longer word, too."""


class Known(NamedTuple):
    """Something to look for."""

    needle: str
    """Must occur in the text without case, or, with `compact`, in its letters and digits alone."""
    compact: bool
    pattern: str
    name: str
    """The placeholder it already has, or '' for a part of a name that gets one when it occurs."""
    part: tuple[str, str, int] | None = None
    """(word, part, number)"""


class Hit(NamedTuple):
    start: int
    end: int
    known: Known


def value(value: str, name: str, *, exact: bool, person: bool, compact: bool) -> Known | None:
    """How to look for a value, with `compact` in whatever groups its digits are written; None for one so short that it
    would be found everywhere."""
    said = value.strip()
    bare = _MARKS.sub("", said).casefold()
    if compact and len(bare) <= 40 and not exact:
        return Known(bare, True, f"(?i:{_bounded(_GAP.join(map(re.escape, bare)), bare)})", name)
    single = person and not re.search(r"\s", said)
    shortest = _SHORTEST_NAME if person else _SHORTEST_NUMBER if bare.isdigit() else _SHORTEST
    if exact and not said.isalpha():
        shortest = _SHORTEST_SECRET
    if len(said) < shortest or (single and ordinary(said)):
        return None
    if single:
        return Known(said.casefold(), False, _name(said), name)
    pattern = r"\s+".join(map(re.escape, said.split()))
    if (written := escaped(said)) != said:
        pattern = rf"{pattern}|{re.escape(written)}"
    pattern = _bounded(pattern, said) if len(said) < _LONG or person else pattern
    first = said.split()[0] if said.split() else said
    return Known(first if exact else first.casefold(), False, f"(?:{pattern})" if exact else f"(?i:{pattern})", name)


def part(word: str, said: str, number: int) -> Known:
    """How to look for a part of a person's name."""
    return Known(said.casefold(), False, _name(said), "", (word, said, number))


def _bounded(pattern: str, said: str) -> str:
    left = r"(?<![^\W_])" if said[:1].isalnum() else ""
    right = r"(?![^\W_])" if said[-1:].isalnum() else ""
    return f"{left}(?:{pattern}){right}"


def _name(said: str) -> str:
    """A name as a whole word, with or without an ending; in small letters only where it was found so."""
    spellings = {said, said.upper(), said[:1].upper() + said[1:]}
    either = "|".join(map(re.escape, sorted(spellings)))
    return rf"(?<![^\W_])(?:{either})(?=(?:['’]?s|['’])?(?![^\W_]))"


@dataclass(slots=True)
class Sweep:
    """What to look for in one request."""

    known: list[Known] = field(default_factory=list)
    _compiled: dict[tuple[int, ...], re.Pattern[str]] = field(default_factory=dict)

    def hits(self, text: str, taken: Iterable[tuple[int, int]] = ()) -> Iterator[Hit]:
        """Where something known stands between the stretches that are `taken`, from left to right."""
        taken = sorted(taken)
        present = self._present(_between(text, taken))
        if not present:
            return
        pattern = self._compiled.get(present)
        if pattern is None:
            pattern = self._compiled[present] = re.compile("|".join(f"({self.known[at].pattern})" for at in present))
        start = 0
        for end, after in (*taken, (len(text), len(text))):
            for match in pattern.finditer(text, start, max(start, end)):
                known = self.known[present[(match.lastindex or 1) - 1]]
                if known.part is None or not ordinary(known.part[1]) or titled(text, match.start()):
                    yield Hit(match.start(), match.end(), known)
            start = max(start, after)

    def may_hit(self, text: str) -> bool:
        return bool(self._present(text))

    def _present(self, text: str) -> tuple[int, ...]:
        folded = text.casefold()
        compact: str | None = None
        present = []
        for at, known in enumerate(self.known):
            if known.compact:
                compact = _MARKS.sub("", folded) if compact is None else compact
                if known.needle in compact:
                    present.append(at)
            elif known.needle in folded or known.needle in text:
                present.append(at)
        return tuple(sorted(present, key=lambda at: -len(self.known[at].needle)))


def _between(text: str, taken: list[tuple[int, int]]) -> str:
    """The text without what is taken."""
    if not taken:
        return text
    starts = (0, *(end for _, end in taken))
    ends = (*(start for start, _ in taken), len(text))
    return "\0".join(text[start:end] for start, end in zip(starts, ends, strict=True))

"""What a rule hands to a check, and what a check hands back."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

APART = "\n\n\n\n"
"""Between texts that were put together to be read: more line ends than any number or key holds."""
_SEPARATORS = str.maketrans("", "", " \t-._/\n\r()")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A place where a rule's pattern matched."""

    text: str = field(repr=False)
    start: int
    end: int
    near: frozenset[str] = frozenset()
    """Lists of context words that have a word close by."""
    entropy: float = 0.0
    confidence: float = 1.0
    """The rule's own."""
    guess: str = ""
    """The view, where it guesses: what stands close together here was spelled or spaced out there."""

    @property
    def value(self) -> str:
        return self.text[self.start : self.end]

    @property
    def bare(self) -> str:
        """The value without separators, in capitals."""
        return bare(self.value)

    def confirm(self, confidence: float | None = None) -> tuple[Confirmed, ...]:
        return (Confirmed(self.start, self.end, self.bare, self.confidence if confidence is None else confidence),)

    def __repr__(self) -> str:
        return f"Candidate({self.start}, {self.end})"


class Confirmed(NamedTuple):
    """A part of the candidate that is what the rule says it is."""

    start: int
    end: int
    value: str
    """Normalised, to tell equal values from different ones; it does not outlive the scan."""
    confidence: float


Check: TypeAlias = Callable[[Candidate], Iterable[Confirmed]]


def bare(value: str) -> str:
    return value.translate(_SEPARATORS).upper()


def groups(value: str) -> list[str]:
    """The runs of letters and digits of a value."""
    return re.findall(r"[A-Za-z0-9]+", value)

"""What one detector says about one row, and how it is counted: shares with Wilson's intervals, spans by what covers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.detect_rows import HARD_LABELS, Row, Span
from gateway.core.share import wilson


@dataclass(frozen=True, slots=True)
class Found:
    """Places that a detector would hide, in code points of the row's text, and what follows for the request."""

    values: tuple[tuple[int, int], ...] = ()
    found: bool = False
    """Anything at all."""
    kept: bool | None = None
    """Graded CONFIDENTIAL or above by the default policy; None for detectors that grade nothing."""
    kinds: tuple[str, ...] = ()
    unreadable: bool = False
    names_only: bool = False
    """All that was found is names, dates and addresses."""
    generic: bool | None = None
    """The positive test for PUBLIC says yes; None for detectors that have none."""


@dataclass(slots=True)
class Share:
    """How many of how many."""

    hits: int = 0
    total: int = 0

    def add(self, hit: bool) -> None:
        self.hits += hit
        self.total += 1

    @property
    def value(self) -> float:
        return self.hits / self.total if self.total else 0.0

    def as_json(self) -> dict[str, Any]:
        low, high = wilson(self.hits, self.total)
        return {"hits": self.hits, "of": self.total, "low": round(low, 4), "high": round(high, 4)}


@dataclass(slots=True)
class Shares:
    """Shares by a name each, made on first use."""

    by: dict[str, Share] = field(default_factory=dict)

    def add(self, name: str, hit: bool) -> None:
        self.by.setdefault(name, Share()).add(hit)

    def as_json(self) -> dict[str, Any]:
        return {name: share.as_json() for name, share in self.by.items()}


def covered(span: Span, values: Iterable[tuple[int, int]]) -> float:
    """Which share of the span's characters something covers."""
    reached = span.start
    total = 0
    for start, end in sorted(values):
        start, end = max(start, reached), min(end, span.end)
        if start < end:
            total += end - start
            reached = end
    return total / (span.end - span.start)


def hard_spans(row: Row) -> list[Span]:
    return [span for span in row.spans if span.label in HARD_LABELS and span.end > span.start]


def count_spans(rows: Sequence[Row], found: Sequence[Found], name: Callable[[Row, Span], str]) -> dict[str, Any]:
    """Per name: spans found (half of their characters or more) and hidden (every character that is not a space)."""
    reached, hidden = Shares(), Shares()
    for row, said in zip(rows, found, strict=True):
        text = row.text
        for span in hard_spans(row):
            part = covered(span, said.values)
            reached.add(name(row, span), part >= 0.5)
            hidden.add(name(row, span), part == 1 or _hidden(text, span, said.values))
    return {
        key: {"found": share.as_json(), "hidden": hidden.by[key].as_json()} for key, share in sorted(reached.by.items())
    }


def _hidden(text: str, span: Span, values: Sequence[tuple[int, int]]) -> bool:
    """Whether no letter and no digit would be seen: commas and spaces between hidden parts tell nothing."""
    return all(
        any(start <= at < end for start, end in values) for at in range(span.start, span.end) if text[at].isalnum()
    )

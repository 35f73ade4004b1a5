"""What a rule found, and which of several readings of one place stay."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True, slots=True)
class Hit:
    """A match without its text: all that is remembered of a string."""

    kind: str
    category: str
    confidence: float
    start: int
    end: int
    value: int
    """Hash of the normalised value, salted per process."""
    near: frozenset[str] = frozenset()
    reserved: bool = False
    view: str = "raw"
    detector: str = "rules"
    """Which tier: rules, topics or names."""


def moved(hit: Hit, start: int, end: int, view: str) -> Hit:
    if (hit.start, hit.end, hit.view) == (start, end, view):
        return hit
    return replace(hit, start=start, end=end, view=view)


_NUMBERS = frozenset({"identifier", "financial"})
_LOOSE = frozenset({"phone", "ip_address", "mac_address"})
_PLAIN = frozenset({"raw", "normal"})
DOUBTFUL = 0.5
"""What a check gives a reading that any other at its place beats."""


@dataclass(slots=True)
class _Kept:
    """Hits that do not overlap, by where they start."""

    starts: list[int] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)

    def at(self, hit: Hit) -> Hit | None:
        """The last of those that overlap `hit`."""
        index = bisect_left(self.starts, hit.end)
        return self.hits[index - 1] if index and self.hits[index - 1].end > hit.start else None

    def add(self, hit: Hit) -> None:
        index = bisect_left(self.starts, hit.start)
        self.starts.insert(index, hit.start)
        self.hits.insert(index, hit)


def settle(hits: Sequence[Hit]) -> list[Hit]:
    """Without misreadings: one hit per place and category, the surest; no loose number inside a proven one.

    Hits of different categories stay side by side. What each weighs is for the policy to say, and one finding more
    must never make a text less private.
    """
    by_category: dict[str, _Kept] = {}
    for hit in sorted(hits, key=_surest):
        same = by_category.setdefault(hit.category, _Kept())
        if same.at(hit) is None and not any(_misread(hit, kept.at(hit)) for kept in by_category.values()):
            same.add(hit)
    return sorted((hit for kept in by_category.values() for hit in kept.hits), key=lambda hit: (hit.start, -hit.end))


def _surest(hit: Hit) -> tuple[float, bool, bool, int, int]:
    """Of equals, an example of a manual's comes last: it must not stand in for a value that is somebody's."""
    return -hit.confidence, hit.view not in _PLAIN, hit.reserved, hit.start - hit.end, hit.start


def _misread(hit: Hit, other: Hit | None) -> bool:
    """Whether `hit` is but what `other`, which is as sure or surer, looks like from close by."""
    if other is None:
        return False
    if hit.confidence <= DOUBTFUL:
        return True
    loose = hit.kind in _LOOSE or hit.category in _NUMBERS
    return loose and hit.confidence < 1 == other.confidence

"""What each finding means: the table from kind or category to level, and `grade`, the only maker of a level."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

from gateway.core.types import DERIVED, Finding, Sensitivity, Unreadable

_PUBLIC, _INTERNAL, _UNKNOWN = Sensitivity.PUBLIC, Sensitivity.INTERNAL, Sensitivity.UNKNOWN
_CONFIDENTIAL, _RESTRICTED = Sensitivity.CONFIDENTIAL, Sensitivity.RESTRICTED

DEFAULT_CATEGORIES: Mapping[str, Sensitivity] = MappingProxyType({
    "secret": _RESTRICTED,
    "credentialed_url": _RESTRICTED,
    "identifier": _RESTRICTED,
    "health": _RESTRICTED,
    "special": _RESTRICTED,
    "minor": _RESTRICTED,
    "legal": _RESTRICTED,
    "financial": _CONFIDENTIAL,
    "contact": _CONFIDENTIAL,
    "confidential": _CONFIDENTIAL,
    "person": _INTERNAL,
    "code": _INTERNAL,
})  # fmt: skip

DEFAULT_KINDS: Mapping[str, Sensitivity] = MappingProxyType({
    # Kinds that weigh more than their category …
    "payment_card": _RESTRICTED,
    "credit_card": _RESTRICTED,
    "card": _RESTRICTED,
    "cvv": _RESTRICTED,
    "restricted_mark": _RESTRICTED,
    DERIVED[_RESTRICTED]: _RESTRICTED,  # an answer made from something of that level
    DERIVED[_CONFIDENTIAL]: _CONFIDENTIAL,
    # … and kinds that weigh less when they stand alone.
    "postal_address": _INTERNAL,
    "address": _INTERNAL,
    "date": _INTERNAL,
    "birth_date": _INTERNAL,
    # Somebody's working life and the house's daily business: nothing to keep here, but no general question either.
    "career": _INTERNAL,
    "business": _INTERNAL,
    "correspondence": _INTERNAL,
    "organisation": _INTERNAL,
    "internal_host": _INTERNAL,
})  # fmt: skip

UNLISTED = _RESTRICTED
"""A finding of a category this table does not know: somebody thought it worth finding, so it is kept close."""


@dataclass(frozen=True, slots=True)
class Match:
    """Which findings an entry counts. Every part is a lower bound, so that a further finding can only add to it."""

    of: frozenset[str] = frozenset()
    """Kinds or categories; empty = any."""
    min_confidence: float = 0.0
    near: frozenset[str] = frozenset()

    def holds(self, finding: Finding) -> bool:
        # Written as "not below" so that a confidence of NaN counts.
        return (
            (not self.of or finding.kind in self.of or finding.category in self.of)
            and not finding.confidence < self.min_confidence
            and (not self.near or not self.near.isdisjoint(finding.near))
        )


def distinct(findings: Sequence[Finding], match: Match) -> int:
    """How many different values the matching findings stand for.

    A finding whose value was not numbered (0) counts as a value of its own: too many rather than too few.
    """
    numbers = [finding.value_id for finding in findings if match.holds(finding)]
    return len({number for number in numbers if number}) + numbers.count(0)


@dataclass(frozen=True, slots=True)
class Raise:
    """An entry of `levels` with a condition. It may only raise."""

    name: str
    match: Match
    min_count: int
    distinct: Match | None
    distinct_at_least: int
    to: Sensitivity

    def holds(self, findings: Sequence[Finding]) -> bool:
        if self.distinct is not None and distinct(findings, self.distinct) < self.distinct_at_least:
            return False
        return sum(map(self.match.holds, findings)) >= self.min_count


class Grade(NamedTuple):
    level: Sensitivity
    raised_by: tuple[str, ...]
    """What lifted it above where it started, in words without request text."""
    by_kinds: Sensitivity
    """What the kinds of the findings alone make it."""


@dataclass(frozen=True, slots=True)
class Levels:
    """One policy's reading of findings: its own entries over the default table."""

    kinds: Mapping[str, Sensitivity] = field(default_factory=dict)
    categories: Mapping[str, Sensitivity] = field(default_factory=dict)
    raises: tuple[Raise, ...] = ()
    reserved_kinds: frozenset[str] = frozenset()
    """Kinds whose documentation examples are let pass."""
    all_reserved: bool = False
    public_keys: bool = True
    """A key that was declared public earns PUBLIC."""
    public_generic: bool = False
    """The positive test earns PUBLIC."""

    def earned(self, *, key: bool, generic: bool) -> str | None:
        """What makes a request public should nothing be found in it; None = nothing does."""
        if key and self.public_keys:
            return "the key is declared public"
        return "a general question or code" if generic and self.public_generic else None

    def counting(self, findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
        """The findings that weigh: all but the documentation examples this policy lets pass."""
        if not findings or not (self.all_reserved or self.reserved_kinds):
            return findings
        return tuple(
            finding
            for finding in findings
            if not (finding.reserved and (self.all_reserved or finding.kind in self.reserved_kinds))
        )

    def level_of(self, kind: str, category: str) -> Sensitivity:
        """The policy's word on the kind, else its word on the category, else the default table.

        A word on a category never lowers a kind that the default table lists by itself: who writes
        `financial: internal` with account numbers in mind has not said that payment cards may go.
        """
        own = self.kinds.get(kind)
        if own is not None:
            return own
        listed, broad = DEFAULT_KINDS.get(kind), self.categories.get(category)
        if broad is None:
            return listed if listed is not None else DEFAULT_CATEGORIES.get(category, UNLISTED)
        return broad if listed is None else max(broad, listed)


def grade(
    levels: Levels,
    findings: tuple[Finding, ...],
    unreadable: tuple[Unreadable, ...],
    *,
    public: bool,
    at_least: Sensitivity | None,
) -> Grade:
    """The request's level. `findings` are those that count; see `Levels.counting`.

    It starts at INTERNAL, because finding nothing is no evidence. PUBLIC needs a reason of its own (`public`; see
    `Levels.earned`) and nothing found; what could not be read makes it UNKNOWN whatever else is known.
    """
    if not findings and not unreadable and at_least is None:
        return _NOTHING_PUBLIC if public else _NOTHING
    level = _PUBLIC if public and not findings else _INTERNAL
    raised_by: list[str] = []
    for (kind, category), count in Counter((f.kind, f.category) for f in findings).items():
        own = levels.level_of(kind, category)
        if own > _INTERNAL:
            raised_by.append(f"kind {kind} ×{count} → {own}")
        level = max(level, own)
    by_kinds = level
    for entry in levels.raises:
        if entry.to > level and entry.holds(findings):
            raised_by.append(f"levels entry {entry.name!r} → {entry.to}")
            level = entry.to
    if unreadable:
        raised_by.extend(sorted({f"unreadable ({part.reason}) → unknown" for part in unreadable}))
        level = _UNKNOWN
    if at_least is not None and at_least > level:
        raised_by.append(f"the client raised it → {at_least}")
        level = at_least
    return Grade(level, tuple(sorted(raised_by)), by_kinds)


_NOTHING = Grade(_INTERNAL, (), _INTERNAL)
_NOTHING_PUBLIC = Grade(_PUBLIC, (), _PUBLIC)

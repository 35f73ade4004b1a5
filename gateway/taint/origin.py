"""What an answer was made from: kinds and categories of what its request held, never a value of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from gateway.core.types import DERIVED, TAINT, Assessment, Decision, Finding, Json, Place, Sensitivity

KEPT_FROM = Sensitivity.CONFIDENTIAL
"""Answers to requests below this level are not remembered."""


class Fact(NamedTuple):
    """One kind of finding, as strong as its strongest."""

    kind: str
    category: str
    confidence: float
    near: frozenset[str] = frozenset()
    reserved: bool = False

    def joined(self, other: Fact) -> Fact:
        return Fact(
            self.kind,
            self.category,
            max(self.confidence, other.confidence),
            self.near | other.near,
            self.reserved and other.reserved,
        )


@dataclass(frozen=True, slots=True)
class Origin:
    """The findings behind an answer, one per kind, and whether something in its request could not be read."""

    facts: tuple[Fact, ...]
    unknown: bool = False

    @classmethod
    def of(cls, assessment: Assessment, decision: Decision) -> Origin:
        """What to remember of a request, so that the same policy puts it at the same level again.

        Where the client or a condition raised it, no finding says so; a kind of our own does.
        """
        facts = [
            # A confidence that is no number counts as certain, as it does for policies.
            Fact(found.kind, found.category, found.confidence if found.confidence <= 1 else 1.0, found.near,
                 found.reserved)
            for found in assessment.findings
        ]  # fmt: skip
        unknown = bool(assessment.unreadable) or decision.level is Sensitivity.UNKNOWN
        if not unknown and (decision.lifted or not facts):
            facts.append(Fact(DERIVED[decision.level], "confidential", 1.0))
        return cls(_merged(facts), unknown)

    def joined(self, other: Origin) -> Origin:
        if other == self:
            return self
        return Origin(_merged((*self.facts, *other.facts)), self.unknown or other.unknown)

    def to_json(self) -> Json:
        return [self.unknown, [[fact.kind, fact.category, fact.confidence, sorted(fact.near), fact.reserved]
                               for fact in self.facts]]  # fmt: skip

    @classmethod
    def from_json(cls, value: Json) -> Origin:
        """Raises ValueError or TypeError for anything that `to_json` did not make."""
        unknown, facts = value
        return cls(
            tuple(
                Fact(str(kind), str(category), float(confidence), frozenset(near), bool(reserved))
                for kind, category, confidence, near, reserved in facts
            ),
            bool(unknown),
        )


def findings(recognised: Iterable[tuple[str, Origin]]) -> tuple[Finding, ...]:
    """One finding per kind, at the first path that brings it back."""
    facts: dict[tuple[str, str], Fact] = {}
    paths: dict[tuple[str, str], str] = {}
    for path, origin in recognised:
        for fact in origin.facts:
            name = (fact.kind, fact.category)
            facts[name] = facts[name].joined(fact) if name in facts else fact
            paths.setdefault(name, path)
    return tuple(
        # No value is known, so none is numbered: a policy that counts distinct values counts each for one of its own.
        Finding(TAINT, fact.kind, fact.category, fact.confidence, Place(paths[name], 0, 0, TAINT), 0, fact.near,
                fact.reserved)
        for name, fact in facts.items()
    )  # fmt: skip


def _merged(facts: Iterable[Fact]) -> tuple[Fact, ...]:
    merged: dict[tuple[str, str], Fact] = {}
    for fact in facts:
        name = (fact.kind, fact.category)
        merged[name] = merged[name].joined(fact) if name in merged else fact
    return tuple(merged[name] for name in sorted(merged))

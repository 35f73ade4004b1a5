"""What an operator's policy adds to the detectors: their own words, numbers, fields and exceptions. Data, no code."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class OwnRule:
    """One kind of thing that this house calls private. It matches by words, by a pattern, or by the field's name."""

    kind: str
    category: str
    """One of CATEGORIES."""
    literals: tuple[str, ...] = ()
    """Words and names, at word borders, whatever their case."""
    pattern: str = ""
    """A regular expression of the restricted kind: linear time, a literal of three characters in it."""
    anchors: tuple[str, ...] = ()
    """Literals, in lower case, of which every match of the pattern holds one: it is tried only near them."""
    fields: tuple[str, ...] = ()
    """Names of JSON fields: whatever text or number stands in one is a finding."""
    checksum: str = ""
    """What the digits and letters of a match must pass: luhn, mod97, mod11 …; empty = nothing."""
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class OwnException:
    """Values that are no finding here, whatever the detectors say: the house's own switchboard, a sample customer."""

    values: tuple[str, ...]
    """Compared without case, spaces and punctuation."""
    kinds: tuple[str, ...] = ()
    """Kinds or categories it is for; empty = all but secrets."""


@dataclass(frozen=True, slots=True)
class OwnRules:
    rules: tuple[OwnRule, ...] = ()
    exceptions: tuple[OwnException, ...] = ()
    digest: str = ""
    """Of the two above; part of the pack digest that stands in every record."""


NO_RULES = OwnRules()

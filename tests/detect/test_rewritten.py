"""Patterns are rewritten to be fast, and rules find what they found."""

from __future__ import annotations

import random
import re

import pytest

from gateway.detect.rewritten import led, loose
from gateway.detect.rules import load

PATTERNS = [rule.pattern for rule in load().rules if led(rule.pattern) != rule.pattern]


def texts() -> list[str]:
    """Digits, letters and what stands between them, in every order."""
    dice = random.Random(11)
    signs = ("0123456789", "0123456789 -.", "0123456789-/ ABYZéÀ", "Anna Müller 12 9", "19/2026 IT7 50%_<>\n")
    return ["".join(dice.choices(signs[place % len(signs)], k=120)) for place in range(120)]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        pytest.param(r"(?<!\d)\d{9}(?!\d)", r"\d(?<!\d(?s:.))\d{8}(?!\d)", id="so many"),
        pytest.param(r"(?<!\d)\d{2,3}/\d", r"\d(?<!\d(?s:.))\d{1,2}/\d", id="at least so many"),
        pytest.param(r"(?i)(?<![A-Z])[1-9]\d", r"(?i)[1-9](?<![A-Z](?s:.))\d", id="a flag in front"),
        pytest.param(r"(?<![A-Z])756[. ]?\d", r"7(?<![A-Z](?s:.))56[. ]?\d", id="one digit"),
        pytest.param(r"(?<!\d)\d?x", r"(?<!\d)\d?x", id="a first character that may be missing"),
        pytest.param(r"(?<!\d)\d{0,2}x", r"(?<!\d)\d{0,2}x", id="so many or none"),
        pytest.param(r"(?<!\d)(?:a|b)x", r"(?<!\d)(?:a|b)x", id="several beginnings"),
        pytest.param(r"(?i)(?<!\d)[xy]z", r"(?i)(?<!\d)[xy]z", id="letters of either case"),
    ],
)
def test_what_may_not_stand_before_a_match_is_asked_for_behind_its_first_character(pattern: str, wanted: str) -> None:
    assert led(pattern) == wanted


def test_rewritten_rules_match_what_they_matched() -> None:
    assert len(PATTERNS) > 20
    matched = 0
    for pattern in PATTERNS:
        before, after = re.compile(pattern, re.ASCII), re.compile(led(pattern), re.ASCII)
        for text in texts():
            for start in (0, 7):
                found = [match.span() for match in before.finditer(text, start)]
                assert [match.span() for match in after.finditer(text, start)] == found, pattern
                matched += len(found)
    assert matched > 500


@pytest.mark.parametrize(
    ("gate", "wanted"),
    [
        ("a{3,9}", "a{3,9}"),
        ("[ab]{1,64}@", "[ab]{1,}@"),
        ("(?:ab){0,20}c{2}", "(?:ab){0,}c{2}"),
        (r"\{1,64}", r"\{1,64}"),
    ],
)
def test_long_repeats_of_a_gate_have_no_upper_limit(gate: str, wanted: str) -> None:
    assert loose(gate) == wanted

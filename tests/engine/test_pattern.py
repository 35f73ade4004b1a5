"""Patterns of JSON schemas: what matches is what the standard says, and the rest is refused."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine.schemas.pattern import (
    Chain,
    Either,
    Node,
    PatternError,
    Repeat,
    Set,
    complement,
    lengths,
    narrowed,
    parse_pattern,
)
from gateway.engine.schemas.string_formats import FORMATS


def matches(node: Node, text: str, at: int = 0) -> set[int]:
    """Where a match that begins at `at` may end: a reader of the form that grammars are written from."""
    if isinstance(node, Set):
        return {at + 1} if at < len(text) and any(low <= ord(text[at]) <= high for low, high in node.ranges) else set()
    if isinstance(node, Either):
        return set().union(*(matches(option, text, at) for option in node.options))
    ends = {at}
    if isinstance(node, Chain):
        for part in node.parts:
            ends = {end for start in ends for end in matches(part, text, start)}
        return ends
    found = set(ends) if node.least == 0 else set()
    for count in range(1, min(node.most if node.most is not None else len(text), len(text)) + 1):
        ends = {end for start in ends for end in matches(node.part, text, start)}
        found |= ends if count >= node.least else set()
    return found


PATTERNS = {
    "^[A-Z]{2}\\d{3}$": ["AB123", "ab123", "AB12", "XAB123"],
    "^(a|bc)+$": ["a", "bca", "", "b"],
    "cat": ["cat", "a cat here", "dog", "ca t"],
    "^cat": ["cats", "a cat"],
    "cat$": ["a cat", "cats"],
    "^a$|^b": ["a", "b", "bc", "ac"],
    "^\\+?[0-9]{1,3}(-[0-9]{2,4}){0,2}$": ["+39-051", "39", "-39", "1-22-333"],
    "^[^\\s,]+$": ["word", "two words", "a,b", "perché"],
    "^\\w+@\\w+\\.com$": ["a@b.com", "a@bxcom"],
    "^(?:x(?<name>y)?){2,3}?$": ["xx", "xyxy", "x", "xxxx"],
    "^[a\\-z]$": ["-", "a", "b"],
    "^[\\]\\\\]\\x41\\u0042$": ["]AB", "\\AB", "xAB"],
    "^.$": ["a", "\n", "é"],
    "^a{0}b$": ["b", "ab"],
    "^$": ["", "a"],
    "^(a|)$": ["a", "", "b"],
}


@pytest.mark.parametrize(
    ("pattern", "text"), [(pattern, text) for pattern, texts in PATTERNS.items() for text in texts]
)
def test_a_pattern_matches_what_python_matches(pattern: str, text: str) -> None:
    python = re.compile(pattern.replace("(?<", "(?P<"), re.ASCII)
    assert (len(text) in matches(parse_pattern(pattern), text)) == bool(python.search(text))


BEYOND = r"(?=a) (?!a) (?<=a) (a)\1 \bword \p{L} a** (a*)* (a a) [a [] [b-a] a{2,1} a{99999} a{,3} x^y x$y (^a$) \ \u12"
BEYOND += r" [\d-z] *a { \ud800 (?#note) (?"


@pytest.mark.parametrize("pattern", [*BEYOND.split(), "(" * 50 + ")" * 50, "a" * 3000])
def test_what_no_grammar_can_hold_to_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        parse_pattern(pattern)


@given(st.text(alphabet="ab^$()[]{}|*+?\\.-,1d", max_size=12), st.text(alphabet="ab1-", max_size=4))
def test_any_pattern_is_refused_or_means_what_python_means(pattern: str, text: str) -> None:
    try:
        node = parse_pattern(pattern)
    except PatternError:
        return
    try:
        python = re.compile(pattern, re.ASCII)
    except re.error:
        return  # as `[]` and `a{,` go, the two standards differ on what is a pattern at all
    # Python's {,2} is a repetition and ECMAScript's is text; possessive signs are Python's alone.
    if "{," not in pattern and not re.search(r"[*+?}]\+", pattern):
        assert (len(text) in matches(node, text)) == bool(python.search(text))


@pytest.mark.parametrize(
    ("pattern", "size"),
    [("^a{2,5}$", (2, 5)), ("^(a|bcd)$", (1, 3)), ("^a+b?$", (1, None)), ("a", (1, None)), ("^(ab{3}){2}$", (8, 8))],
)
def test_a_pattern_knows_how_long_its_matches_are(pattern: str, size: tuple[int, int | None]) -> None:
    assert lengths(parse_pattern(pattern)) == size


def test_a_pattern_of_one_repeated_character_takes_the_lengths_of_the_schema() -> None:
    assert lengths(narrowed(parse_pattern("^[a-z]+$"), 3, 9)) == (3, 9)
    assert lengths(narrowed(parse_pattern("^[a-z]{2,4}$"), 0, 9)) == (2, 4)
    assert lengths(narrowed(parse_pattern("^ab$"), 3, 9)) == (2, 2)


def test_surrogates_are_no_characters() -> None:
    assert complement(()) == ((0, 0xD7FF), (0xE000, 0x10FFFF))


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_a_pattern_of_bounded_length(name: str) -> None:
    node = parse_pattern(FORMATS[name])
    assert not isinstance(node, Repeat)
    assert lengths(node)[1] is not None

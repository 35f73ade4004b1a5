"""Bounds of numbers as digits: every number within can be written, and none beyond."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine.schemas.numbers import Bounds, decimals, integers


def pattern(alternatives: list[str]) -> re.Pattern[str]:
    """These alternatives use so little of a grammar's notation that a regular expression can be made of them."""

    def part(match: re.Match[str]) -> str:
        text: str = match.group()
        return re.escape(text[1:-1]) if text.startswith('"') else "" if text == " " else text

    ways = [re.sub(r'"[^"]*"| |.', part, one) for one in alternatives]
    return re.compile("|".join(f"(?:{way})" for way in ways) or "(?!)")


BOUND = st.integers(-2000, 2000).map(Decimal) | st.decimals(-50, 50, places=2)
BOUNDS = st.builds(Bounds, st.none() | BOUND, st.none() | BOUND, st.booleans(), st.booleans())


def within(number: Decimal, bounds: Bounds) -> bool:
    above = bounds.low is None or (number > bounds.low if bounds.above else number >= bounds.low)
    return above and (bounds.high is None or (number < bounds.high if bounds.below else number <= bounds.high))


@given(BOUNDS, st.integers(-2500, 2500))
def test_a_whole_number_is_written_exactly_where_it_is_within(bounds: Bounds, number: int) -> None:
    assert bool(pattern(integers(bounds)).fullmatch(str(number))) == within(Decimal(number), bounds)


@given(BOUNDS, st.integers(-100, 100) | st.decimals(-60, 60, places=3))
def test_a_number_that_can_be_written_is_within(bounds: Bounds, number: int | Decimal) -> None:
    if pattern(decimals(bounds)).fullmatch(format(number, "f")):
        assert within(Decimal(number), bounds)


@given(BOUNDS, st.decimals(-60, 60, places=2))
def test_a_number_within_can_be_written(bounds: Bounds, number: Decimal) -> None:
    text = format(number, "f").rstrip("0").rstrip(".")
    if within(number, bounds) and text not in ("-", "-0"):
        assert pattern(decimals(bounds)).fullmatch(text)


@pytest.mark.parametrize(
    ("bounds", "yes", "no"),
    [
        (Bounds(Decimal(0), Decimal(1)), ["0", "1", "0.5", "1.0", "0.123456"], ["1.1", "-0.1", "2", "01", ".5", "1."]),
        (Bounds(Decimal(0), None, above=True), ["1", "0.01", "12345.6"], ["0", "0.0", "-1"]),
        (
            Bounds(Decimal("0.5"), Decimal("0.75")),
            ["0.5", "0.7500", "0.6212", "0.75"],
            ["0.4999", "0.7501", "0.76", "1"],
        ),
        (Bounds(None, Decimal(0), below=True), ["-1", "-0.5", "-99.25"], ["0", "1", "-0"]),
        (Bounds(Decimal(-3), Decimal(3)), ["-3", "-2.9", "0", "3.0"], ["-3.1", "3.1", "4"]),
        (Bounds(Decimal(2), Decimal(1)), [], ["1", "2", "1.5"]),
    ],
)
def test_numbers_within(bounds: Bounds, yes: list[str], no: list[str]) -> None:
    written = pattern(decimals(bounds))
    assert [text for text in [*yes, *no] if written.fullmatch(text)] == yes


def test_large_bounds_take_few_alternatives() -> None:
    assert len(integers(Bounds(Decimal(7), Decimal(123456789012)))) < 40
    assert len(integers(Bounds(None, None))) < 40

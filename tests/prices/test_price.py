"""What an answer costs under known rates: every kind of token at its own, and not a femto-dollar lost."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.types import Usage
from gateway.prices import Price, Rates, rates
from gateway.prices.price import FEMTO, dollars

PLAIN = Price(Rates(100, 1000))
FULL = Price(Rates(100, 1000, cached=10, written=125, reasoning=2000, audio_prompt=700, audio_completion=9000))
LONG = Price(Rates(100, 1000, cached=10), ((200_000, Rates(200, 1500, cached=20)), (400_000, Rates(300, 1600))))


def usage(prompt: int, completion: int, prompt_details: Any = None, completion_details: Any = None) -> Usage:
    details = {"prompt_tokens_details": prompt_details, "completion_tokens_details": completion_details}
    return Usage(prompt, completion, details)


@pytest.mark.parametrize(
    ("price", "used", "cost"),
    [
        pytest.param(PLAIN, Usage(7, 2), 2_700, id="no details"),
        pytest.param(FULL, usage(100, 10, {"cached_tokens": 80}), 12_800, id="most of the prompt was cached"),
        pytest.param(PLAIN, usage(100, 10, {"cached_tokens": 80}), 20_000, id="cached, and no rate for that"),
        pytest.param(FULL, usage(100, 10, {"cache_creation_tokens": 40}), 21_000, id="kept for next time"),
        pytest.param(FULL, usage(100, 10, {"cached_tokens": 20, "cache_creation_tokens": 40}), 19_200, id="both"),
        pytest.param(FULL, usage(100, 10, None, {"reasoning_tokens": 4}), 24_000, id="thoughts have a rate"),
        pytest.param(PLAIN, usage(100, 10, None, {"reasoning_tokens": 4}), 20_000, id="thoughts have none"),
        pytest.param(FULL, usage(100, 10, {"audio_tokens": 50}, {"audio_tokens": 5}), 90_000, id="audio"),
        pytest.param(PLAIN, usage(100, 10, {"audio_tokens": 50}), None, id="audio heard without a rate"),
        pytest.param(PLAIN, usage(100, 10, None, {"audio_tokens": 5}), None, id="audio spoken without a rate"),
        pytest.param(FULL, usage(100, 10, {"cached_tokens": 10**9}), 11_000, id="more cached than there is"),
        pytest.param(FULL, usage(100, 10, {"cached_tokens": "many"}, "none"), 20_000, id="details that are none"),
        pytest.param(FULL, usage(100, 10, {"cached_tokens": -5, "audio_tokens": True}), 20_000, id="odd numbers"),
        pytest.param(LONG, Usage(200_000, 1), 20_001_000, id="just not long"),
        pytest.param(LONG, Usage(200_001, 1), 40_001_700, id="a long prompt is long as a whole"),
        pytest.param(LONG, Usage(500_000, 1), 150_001_600, id="very long"),
    ],
)
def test_every_kind_of_token_has_its_own_rate(price: Price, used: Usage, cost: int | None) -> None:
    assert price.of(used) == cost


def test_dollars_for_a_million_tokens_are_whole_femto_dollars_for_one() -> None:
    assert rates(Decimal("0.15"), Decimal("0.6"), Decimal("0.075")) == Rates(150_000_000, 600_000_000, 75_000_000)
    assert rates(Decimal(2), Decimal(8)) == Rates(2_000_000_000, 8_000_000_000, None)


@given(st.lists(st.tuples(st.integers(0, 300_000), st.integers(0, 100_000)), max_size=50))
def test_a_sum_of_costs_is_the_cost_of_the_sum(answers: list[tuple[int, int]]) -> None:
    price = Price(rates(Decimal("0.15"), Decimal("0.6")))
    costs = [price.of(Usage(*answer)) or 0 for answer in answers]
    together = Decimal("0.15") * sum(prompt for prompt, _ in answers) + Decimal("0.6") * sum(c for _, c in answers)
    assert sum(costs) == together * FEMTO / 1_000_000
    assert dollars(sum(costs)) == float(together / 1_000_000)

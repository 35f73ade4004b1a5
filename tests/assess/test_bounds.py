"""The intervals agree with published tables and keep their promise when they are tried."""

from __future__ import annotations

import random
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.assess.bounds import at_most
from gateway.core.share import wilson


@pytest.mark.parametrize(
    ("hits", "total", "bound"),
    [(0, 500, 0.005974), (0, 59, 0.049508), (0, 1, 0.95), (1, 100, 0.046560), (5, 50, 0.198833), (49, 50, 0.998975)],
)
def test_the_bound_on_one_side_is_clopper_and_pearsons(hits: int, total: int, bound: float) -> None:
    assert at_most(hits, total) == pytest.approx(bound, abs=2e-6)
    so_few = sum(comb(total, k) * bound**k * (1 - bound) ** (total - k) for k in range(hits + 1))
    assert so_few == pytest.approx(0.05, abs=1e-3)


def test_nothing_counted_proves_nothing() -> None:
    assert at_most(0, 0) == 1.0


counted = st.integers(1, 2000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total)))


@given(counted)
def test_both_hold_what_was_counted(count: tuple[int, int]) -> None:
    hits, total = count
    low, high = wilson(hits, total)
    assert 0 <= low <= hits / total <= high <= 1
    assert hits / total <= at_most(hits, total) <= 1


@given(counted)
def test_one_more_miss_never_makes_the_bound_better(count: tuple[int, int]) -> None:
    hits, total = count
    if hits < total:
        assert at_most(hits + 1, total) >= at_most(hits, total)


@pytest.mark.parametrize("true_share", [0.004, 0.05, 0.3])
def test_the_true_share_is_exceeded_in_one_sample_of_twenty_at_most(true_share: float) -> None:
    dice = random.Random(11)
    samples = [sum(dice.random() < true_share for _ in range(200)) for _ in range(800)]
    wrong = sum(at_most(hits, 200) < true_share for hits in samples)
    assert wrong / 800 < 0.075

"""Wilson's interval agrees with published tables."""

from __future__ import annotations

import pytest

from gateway.core.share import wilson


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (0, 10, 0.0, 0.277533),
        (10, 10, 0.722467, 1.0),
        (81, 263, 0.255275, 0.366219),
        (5, 10, 0.236593, 0.763407),
    ],
)
def test_the_interval_is_wilsons(hits: int, total: int, low: float, high: float) -> None:
    assert wilson(hits, total) == pytest.approx((low, high), abs=1e-4)


def test_half_a_hit_lies_between_none_and_one() -> None:
    assert wilson(0, 10)[1] < wilson(0.5, 10)[1] < wilson(1, 10)[1]

"""A figure in a table stands with its interval."""

from __future__ import annotations

import pytest

from bench.detect_tables import share


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        ({"hits": 0, "of": 500, "low": 0.0, "high": 0.0076}, "0.0 % (0–0.8)"),
        ({"hits": 81, "of": 263, "low": 0.2553, "high": 0.3662}, "30.8 % (26–37)"),
        ({"hits": 0, "of": 0, "low": 0.0, "high": 1.0}, "–"),
        (None, "–"),
    ],
)
def test_a_share_stands_with_its_interval(counted: dict[str, float] | None, said: str) -> None:
    assert share(counted) == said

"""The running numbers: the same however the tokens came in pieces, and never spoilt by one of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate, pairwise
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.confidence import EARLY, Confidence, Folding, Means

Figures = Sequence[Sequence[float]]

logprobs = st.floats(-30, 0)
figures = st.tuples(logprobs, st.floats(0, 12), st.floats(0, 30))
pieces = st.lists(st.lists(figures, max_size=5), max_size=20)


def folded(*pieces: Figures) -> Confidence | None:
    folding = Folding()
    for piece in pieces:
        folding.add(piece)
    return folding.result()


def means(tokens: Figures) -> list[float]:
    return [fmean(column) for column in zip(*tokens, strict=True)]


@given(pieces)
def test_the_numbers_are_those_of_all_tokens_in_whatever_pieces_they_came(pieces: list[Figures]) -> None:
    tokens = [token for piece in pieces for token in piece]
    told = folded(*pieces)
    assert told == folded(tokens)
    if told is None:
        assert tokens == []
        return
    assert (told.tokens, told.early.tokens) == (len(tokens), min(EARLY, len(tokens)))
    assert told.lowest_logprob == pytest.approx(min(token[0] for token in tokens), abs=1e-4)
    for got, among in ((told, tokens), (told.early, tokens[:EARLY])):
        assert [got.mean_logprob, got.mean_entropy, got.mean_margin] == pytest.approx(means(among), abs=1e-4)


@given(st.lists(figures, min_size=1, max_size=60))
def test_what_was_seen_early_does_not_change_later(tokens: list[Sequence[float]]) -> None:
    prefixes = accumulate(([token] for token in tokens), lambda before, one: before + one)
    early = [told.early for prefix in prefixes if (told := folded(prefix)) is not None]
    assert all(before == after for before, after in pairwise(early[EARLY - 1 :]))


def test_no_token_is_no_number_and_not_zero() -> None:
    assert folded() is None
    assert folded([], []) is None


SPOILT = {
    "logprob": [math.nan, -math.inf, -9999.0],
    "entropy": [math.nan, math.inf, 9999.0],
    "margin": [math.nan, math.inf, 9999.0],
}


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(
            tuple({"logprob": -1.0, "entropy": 1.0, "margin": 1.0, name: value}.values()), id=f"{name} {value}"
        )
        for name, values in SPOILT.items()
        for value in values
    ],
)
def test_a_token_without_finite_figures_is_left_out(spoilt: tuple[float, float, float]) -> None:
    told = Means(2, -0.5, 1.5, 2.0)
    assert folded([(-0.25, 1.0, 3.0), spoilt], [(-0.75, 2.0, 1.0)]) == Confidence(2, -0.5, 1.5, 2.0, -0.75, told)
    assert folded([spoilt]) is None

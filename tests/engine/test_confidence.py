"""Figures of confidence: those of the definition, finite whatever the logits hold."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from gateway.engine.sampling.confidence import confidence, logprobs


class Letters:
    """A vocabulary of letters; token 0 is a control token."""

    def piece(self, token: int) -> bytes:
        return b"" if token == 0 else bytes([96 + token])

    def token_text(self, token: int) -> str:
        return f"<|{token}|>"


def row(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


FINITE = st.lists(st.floats(-80, 80, width=32), min_size=2, max_size=200)


@given(FINITE, st.data())
def test_the_figures_are_those_of_the_softmax(values: list[float], data: st.DataObject) -> None:
    token = data.draw(st.integers(0, len(values) - 1))
    logits = np.array(values, dtype=np.float64)
    shares = np.exp(logits - logits.max())
    shares /= shares.sum()
    first, second = np.sort(logits)[::-1][:2]
    sure = confidence(row(*values), token)
    assert sure.logprob == pytest.approx(logits[token] - logits.max() + math.log(shares.max()), abs=1e-3, rel=1e-4)
    assert sure.entropy == pytest.approx(-np.sum(shares * np.log(np.maximum(shares, 1e-300))), abs=1e-3, rel=1e-3)
    assert sure.margin == pytest.approx(first - second, abs=1e-3)


def test_the_row_is_left_as_it_was() -> None:
    logits = row(1, 2, 3)
    confidence(logits, 1)
    assert logits.tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    "logits",
    [
        pytest.param(row(1, -math.inf, 0), id="a ban"),
        pytest.param(row(-math.inf, 3e38, -3e38), id="the ends of the range"),
        pytest.param(row(1, 1, 1), id="alike"),
        pytest.param(row(500, 0, 0), id="certain"),
        pytest.param(row(math.nan, 0, 0), id="no number"),
        pytest.param(row(*[-math.inf] * 3), id="nothing possible"),
    ],
)
@pytest.mark.parametrize("token", [0, 1, 2])
def test_every_figure_is_finite(logits: NDArray[np.float32], token: int) -> None:
    sure = confidence(logits, token)
    assert all(math.isfinite(figure) for figure in sure)
    assert -9999 <= sure.logprob <= 1e-6
    assert sure.entropy >= 0
    assert 0 <= sure.margin <= 9999


def test_logprobs_have_openais_shape() -> None:
    entry = logprobs(Letters(), row(0, math.log(3), 0), 1, 2)
    assert json.loads(json.dumps(entry)) == {
        "token": "a",
        "logprob": pytest.approx(math.log(0.6)),
        "bytes": [97],
        "top_logprobs": [
            {"token": "a", "logprob": pytest.approx(math.log(0.6)), "bytes": [97]},
            {"token": "<|0|>", "logprob": pytest.approx(math.log(0.2)), "bytes": []},
        ],
    }


def test_logprobs_are_the_same_whether_the_figures_were_known_before() -> None:
    logits = np.random.default_rng(1).normal(0, 3, 26).astype(np.float32)
    known = logprobs(Letters(), logits, 5, 4, confidence(logits, 5))
    assert known == logprobs(Letters(), logits, 5, 4)
    assert [one["logprob"] for one in known["top_logprobs"]] == pytest.approx(
        np.sort(logits - np.log(np.exp(logits).sum()))[::-1][:4], abs=1e-5
    )


def test_an_impossible_token_has_openais_floor_and_leaves_the_others_their_own() -> None:
    entry = logprobs(Letters(), row(0, -math.inf, 0), 1, 2)
    assert entry["logprob"] == -9999.0
    assert [one["logprob"] for one in entry["top_logprobs"]] == pytest.approx([math.log(0.5)] * 2)

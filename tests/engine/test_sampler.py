"""A choice's tokens, one after the other: bias, penalties, and a row that is left as it was."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.core.errors import BadRequest
from gateway.engine.ask import Ask
from gateway.engine.sampling.sampler import Sampler

VOCABULARY = 100


class Vocabulary:
    """All that a sampler without a grammar asks of a model."""

    n_vocab = VOCABULARY


def sampler(ask: Ask, *, seed: int = 1, n_context: int = 50) -> Any:
    model: Any = Vocabulary()
    return closing(Sampler(model, ask, seed=seed, grammar=None, n_context=n_context))


def falling() -> NDArray[np.float32]:
    """The lower the token the likelier, by 0.1 each."""
    return np.arange(10, 10 - VOCABULARY / 10, -0.1, dtype=np.float32)[:VOCABULARY]


def said(ask: Ask, count: int, row: NDArray[np.float32] | None = None, **options: Any) -> list[int]:
    row = falling() if row is None else row
    before = row.copy()
    with sampler(ask, **options) as chosen:
        tokens = [chosen.next(row) for _ in range(count)]
    assert (row == before).all(), "the row belongs to the context"
    return tokens


def test_bias_moves_bans_and_forces() -> None:
    assert said(Ask(temperature=0, logit_bias=((4, 0.5),)), 1) == [4]
    assert said(Ask(temperature=0, logit_bias=((0, -100.0), (1, -100.0))), 1) == [2]
    assert set(said(Ask(temperature=1.0, top_k=0, logit_bias=((70, 100.0),)), 50)) == {70}
    assert 0 not in said(Ask(temperature=2.0, logit_bias=((0, -100.0),)), 200)


@pytest.mark.parametrize(
    ("biases", "why"),
    [
        (((VOCABULARY, 1.0),), "beyond this model's 100"),
        (tuple((token, -100.0) for token in range(VOCABULARY)), "bans every token"),
    ],
)
def test_a_bias_that_cannot_be_is_refused(biases: tuple[tuple[int, float], ...], why: str) -> None:
    with pytest.raises(BadRequest, match=why) as refused:
        said(Ask(logit_bias=biases), 1)
    assert refused.value.param == "logit_bias"


def test_presence_is_penalised_once_and_frequency_each_time() -> None:
    # 0.25 puts a token behind the next two, and it stays there.
    assert said(Ask(temperature=0, presence_penalty=0.25), 5) == [0, 1, 2, 0, 0]
    assert said(Ask(temperature=0, frequency_penalty=0.25), 6) == [0, 1, 2, 0, 3, 1]


def test_repetition_makes_a_token_less_likely_whatever_the_sign_of_its_logit() -> None:
    below = falling() - np.float32(30)
    for row in (falling(), below):
        assert said(Ask(temperature=0, repeat_penalty=1.5), 3, row) == [0, 1, 2]
    assert said(Ask(temperature=0, repeat_penalty=0.5), 3, below) == [0, 0, 0]


def test_penalties_forget_what_is_longer_ago_than_the_context() -> None:
    assert said(Ask(temperature=0, presence_penalty=2), 6, n_context=2) == [0, 1, 2, 0, 1, 2]
    assert said(Ask(temperature=0, presence_penalty=2), 6, n_context=50) == [0, 1, 2, 3, 4, 5]


def test_bias_and_penalties_work_on_one_token_together() -> None:
    # 5 + 6 is more than the first one's 10, and 5 + 6 - 2 is less.
    assert said(Ask(temperature=0, logit_bias=((50, 6.0),), presence_penalty=2), 3) == [50, 0, 1]


def test_a_seed_says_the_same_again() -> None:
    ask = Ask(temperature=1.5, presence_penalty=0.5, logit_bias=((3, 1.0),))
    assert said(ask, 60, seed=7) == said(ask, 60, seed=7)
    assert said(ask, 60, seed=7) != said(ask, 60, seed=8)

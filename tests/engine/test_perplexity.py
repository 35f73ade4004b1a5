"""How well a text is foreseen: exact where the model is known, and the same however it is computed where it is not."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib.resources import files

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.engine.batch.context import Context
from gateway.engine.batch.model import Model
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.tuning.perplexity import change, logprobs, perplexity

VOCABULARY = 5


class Chain:
    """A context whose next token depends on the last one alone. It insists on what llama.cpp insists on."""

    def __init__(self, n_context: int, n_batch: int = 8) -> None:
        self.n_context = n_context
        self.n_batch = n_batch
        self.held = 0
        self.logits = np.random.default_rng(3).normal(0, 2, (VOCABULARY, VOCABULARY)).astype(np.float32)

    def decode(
        self, tokens: Sequence[int], positions: Sequence[int], sequences: Sequence[int], wanted: Sequence[bool]
    ) -> NDArray[np.float32]:
        assert len(tokens) == len(positions) == len(sequences) == len(wanted) <= self.n_batch
        assert list(positions) == list(range(self.held, self.held + len(tokens)))
        self.held += len(tokens)
        assert self.held <= self.n_context
        return self.logits[list(tokens)]

    def keep(self, sequence: int, count: int) -> int:
        self.held = count
        return count

    def logprob(self, before: int, token: int) -> float:
        row = self.logits[before].astype(np.float64)
        return float(row[token] - math.log(np.exp(row).sum()))


TOKENS = [int(token) for token in np.random.default_rng(7).integers(0, VOCABULARY, 50)]


@pytest.mark.parametrize("chunk", [1, 2, 3, 8, 100])
@pytest.mark.parametrize("n_context", [50, 64, 16, 7])
def test_each_token_has_the_probability_that_the_model_gave_it(chunk: int, n_context: int) -> None:
    chain = Chain(n_context)
    found = logprobs(chain, TOKENS, chunk=chunk)  # type: ignore[arg-type]
    assert len(found) == len(TOKENS)
    for index, got in enumerate(found):
        if index % n_context == 0:
            assert math.isnan(got), "a window begins: nothing was before it"
        else:
            assert got == pytest.approx(chain.logprob(TOKENS[index - 1], TOKENS[index]), abs=1e-5)
    assert chain.held == 0


def test_room_is_made_when_the_context_is_full_and_no_token_goes_unread() -> None:
    chain = Chain(16)
    asked: list[int] = []

    def room(held: int) -> int:
        asked.append(held)
        return chain.keep(0, held - 4)

    found = logprobs(chain, TOKENS, room=room, chunk=5)  # type: ignore[arg-type]
    assert asked == [16] * 9
    assert math.isnan(found[0])
    assert not np.isnan(found[1:]).any()


def test_it_stops_with_what_it_has() -> None:
    steps = iter([False, False, True])
    assert len(logprobs(Chain(64), TOKENS, enough=lambda: next(steps), chunk=5)) == 10  # type: ignore[arg-type]


def test_perplexity_and_its_change_are_those_of_the_definition() -> None:
    base = np.log([np.nan, 0.5, 0.25, 0.125])
    assert perplexity(base) == pytest.approx(4)
    worse, error = change(base - math.log(1.1), base)
    assert (worse, error) == (pytest.approx(0.1), pytest.approx(0, abs=1e-9))
    same, unsure = change(base + np.array([0, 0.1, -0.1, 0]), base)
    assert same == pytest.approx(0, abs=1e-9)
    assert unsure == pytest.approx(0.1 / math.sqrt(3))
    assert change(base[:2], base) == (0, math.inf), "one token tells nothing"


@pytest.fixture(scope="module")
def loaded(model: ModelFile) -> Iterator[tuple[Model, Context]]:
    opened = Model(model.path)
    context = Context(opened, tokens=256, sequences=2, threads=1)
    yield opened, context
    context.close()
    opened.close()


def test_a_real_model_foresees_english_better_than_the_same_words_in_disorder(loaded: tuple[Model, Context]) -> None:
    model, context = loaded
    text = files("gateway.engine").joinpath("data/passages.txt").read_text(encoding="utf-8")
    tokens = model.tokens(text)[:120]
    as_written = logprobs(context, tokens, sequence=1)
    assert perplexity(as_written) < 60
    assert perplexity(logprobs(context, sorted(tokens))) > 2 * perplexity(as_written)
    again = logprobs(context, tokens, chunk=50)
    assert perplexity(again) == pytest.approx(perplexity(as_written), rel=0.02)

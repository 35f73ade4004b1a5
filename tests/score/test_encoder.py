"""The encoder: read only in the grey band, capped, never waited for long, and never the reason of a failure."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import anyio
import numpy as np
import pytest

from gateway.core.types import Request
from gateway.score import encoder as module
from gateway.score.ask import HEAD, TAIL
from gateway.score.encoder import WIDTH, Encoder
from gateway.score.scorer import EnsembleScorer

pytestmark = pytest.mark.anyio
EVERYTHING, NOTHING = (0.0, 1.0), (0.0, 0.0)
ASK = "Which of the two rivers is the longer one, and why?"


class Model:
    """Says the same of everything, slowly or wrongly if told so, and remembers what it was given."""

    def __init__(self, *, fails: bool = False, wait_s: float = 0.0, says: float = 1.0, width: int = WIDTH) -> None:
        self.fails, self.wait_s, self.says, self.width = fails, wait_s, says, width
        self.given: list[str] = []

    def encode(self, texts: Sequence[str]) -> Any:
        self.given += texts
        time.sleep(self.wait_s)
        if self.fails:
            raise MemoryError
        return np.full((len(texts), self.width), self.says / WIDTH**0.5, dtype=np.float32)


def scorers(model: Model, grey: tuple[float, float] = EVERYTHING) -> tuple[EnsembleScorer, EnsembleScorer]:
    """With the encoder, and without."""
    return EnsembleScorer(encoder=Encoder(model), grey=grey), EnsembleScorer()


async def test_in_the_grey_band_the_encoder_is_asked_and_moves_the_gain(request_of: Callable[..., Request]) -> None:
    model = Model()
    asked, alone = scorers(model)
    assert (await asked.score(request_of(ASK))).gain != (await alone.score(request_of(ASK))).gain
    assert model.given == [ASK]


async def test_outside_the_grey_band_nobody_asks_it(request_of: Callable[..., Request]) -> None:
    model = Model()
    asked, alone = scorers(model, NOTHING)
    assert await asked.score(request_of(ASK)) == await alone.score(request_of(ASK))
    assert model.given == []


@pytest.mark.parametrize(
    "model",
    [Model(fails=True), Model(says=float("nan")), Model(says=float("inf")), Model(width=7), Model(wait_s=0.2)],
    ids=["raises", "no number", "infinite", "another width", "slow"],
)
async def test_an_encoder_that_fails_or_is_slow_leaves_the_fast_score(
    request_of: Callable[..., Request], model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.05)
    asked, alone = scorers(model)
    assert await asked.score(request_of(ASK)) == await alone.score(request_of(ASK))


class Late(Encoder):
    """Its model is there once it was loaded."""

    def load(self) -> None:
        self._model = Model()


async def test_an_encoder_is_loaded_once_a_request_wants_it_which_does_not_wait(
    request_of: Callable[..., Request],
) -> None:
    scorer, fast = EnsembleScorer(encoder=Late(), grey=EVERYTHING), await EnsembleScorer().score(request_of(ASK))

    def told() -> str:
        return str(scorer.explain(request_of(ASK))["ensemble"]["encoder"])

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scorer.warm)
        await anyio.wait_all_tasks_blocked()
        assert told() == "not ready"
        assert await scorer.score(request_of(ASK)) == fast
    assert told() == "ready"
    assert (await scorer.score(request_of(ASK))).gain != fast.gain


async def test_a_patient_encoder_is_waited_for(request_of: Callable[..., Request]) -> None:
    scorer = EnsembleScorer(encoder=Late(patient=True), grey=EVERYTHING)
    assert (await scorer.score(request_of(ASK))).gain != (await EnsembleScorer().score(request_of(ASK))).gain


async def test_as_much_is_read_of_a_long_text_as_of_a_short_one(request_of: Callable[..., Request]) -> None:
    model = Model()
    await scorers(model)[0].score(request_of("Why do rivers bend? " * 9_000))
    assert [len(text) for text in model.given] == [HEAD + TAIL + 1]


class Broken(Encoder):
    def load(self) -> None:
        raise ImportError


async def test_an_encoder_that_cannot_be_loaded_is_never_ready_and_nothing_raises(
    request_of: Callable[..., Request],
) -> None:
    fast = await EnsembleScorer().score(request_of(ASK))
    patient = EnsembleScorer(encoder=Broken(patient=True), grey=EVERYTHING)
    assert [await patient.score(request_of(ASK)) for _ in range(2)] == [fast, fast]
    scorer = EnsembleScorer(encoder=Broken(), grey=EVERYTHING)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(scorer.warm)
        await anyio.wait_all_tasks_blocked()
        assert await scorer.score(request_of(ASK)) == fast
    assert await scorer.score(request_of(ASK)) == fast


@pytest.fixture(scope="module")
def real() -> Encoder:
    encoder = Encoder()
    encoder.load()
    return encoder


def test_the_same_in_five_languages_lies_close_together(real: Encoder) -> None:
    asks = [
        "How many apples are left if I eat three of twelve?",
        "Quante mele restano se ne mangio tre di dodici?",
        "¿Cuántas manzanas quedan si me como tres de doce?",
        "Wie viele Äpfel bleiben übrig, wenn ich drei von zwölf esse?",
        "Combien de pommes reste-t-il si j'en mange trois sur douze ?",
        "Translate this contract into plain language",
    ]
    like = real.vectors(asks) @ real.vectors(asks).T
    assert like[:5, :5].min() > 0.6
    assert like[5, :5].max() < 0.4


async def test_with_the_real_encoder_a_request_is_scored(real: Encoder, request_of: Callable[..., Request]) -> None:
    scorer = EnsembleScorer(encoder=real, grey=EVERYTHING)
    for ask in (ASK, "🙂", "a" * 100_000, "សួស្តី", "\ud800"):
        score = await scorer.score(request_of(ask))
        assert score.gain is not None
        assert 0 <= score.gain <= 1

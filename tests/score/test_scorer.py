"""The scorer as the pipeline sees it: sides of the threshold, gates, and that nothing makes it raise."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.ports import Scorer
from gateway.core.types import BackendSpec, Request
from gateway.score.formula import THRESHOLD
from gateway.score.scorer import EnsembleScorer

pytestmark = pytest.mark.anyio
CASES = yaml.safe_load(Path(__file__).with_name("cases.yaml").read_text(encoding="utf-8"))
MUST = {
    "easy": [
        "Hi", "What is the capital of France?", "Thanks!", "Hello, who are you?",
        "Define photosynthesis in one sentence",
        "Rewrite this sentence politely: give me the report now",
    ],
    "hard": [
        "Prove that sqrt(2) is irrational", "Demuestra que hay infinitos números primos",
        "Write a Python function that merges overlapping intervals and explain the complexity",
        "Compare the GDPR and the CCPA with respect to consent, in a table",
        "Analizza le conseguenze economiche della riforma fiscale", "Beweise, dass die Wurzel aus 2 irrational ist",
        "Analyse les conséquences économiques de la réforme fiscale",
    ],
}  # fmt: skip

KEYS = ["role", "content", "type", "text", "tools", "x"]
JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=4)
    | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip
MESSAGE = st.fixed_dictionaries(
    {
        "role": st.sampled_from(["user", "system", "assistant", "tool"]) | JSONISH,
        "content": st.text(max_size=300) | JSONISH,
    }
)


@pytest.mark.parametrize("side", ["easy", "hard"])
@pytest.mark.parametrize("language", sorted(CASES))
def test_asks_fall_on_their_side_of_the_shipped_threshold(scorer: EnsembleScorer, language: str, side: str) -> None:
    asks = CASES[language][side]
    wrong = [ask for ask in asks if ((scorer.score_text(ask).gain or 0) >= THRESHOLD) != (side == "hard")]
    assert len(asks) >= 25
    assert len(wrong) <= 0.05 * len(asks), wrong


@pytest.mark.parametrize("language", sorted(CASES))
def test_asks_are_never_taken_for_another_language(scorer: EnsembleScorer, language: str) -> None:
    said = {ask: scorer.score_text(ask).language for side in ("easy", "hard") for ask in CASES[language][side]}
    assert {ask: code for ask, code in said.items() if code not in {language, None}} == {}


@pytest.mark.parametrize("ask", MUST["easy"])
def test_what_a_small_model_does_as_well_gains_nothing(ask: str) -> None:
    assert (EnsembleScorer().score_text(ask).gain or 1) < 0.5


@pytest.mark.parametrize("ask", MUST["hard"])
def test_what_is_beyond_a_small_model_gains_comfortably(ask: str) -> None:
    assert (EnsembleScorer().score_text(ask).gain or 0) >= 0.6


@given(
    messages=st.lists(MESSAGE | JSONISH, max_size=6), extra=st.dictionaries(st.text(max_size=12), JSONISH, max_size=3)
)
@settings(max_examples=150)
def test_any_messages_give_a_gain_between_0_and_1_or_none(messages: list[Any], extra: dict[str, Any]) -> None:
    request = Request(id="r", principal=None, model="auto", body={**extra, "messages": messages})  # type: ignore[arg-type]
    score = asyncio.run(EnsembleScorer().score(request))
    assert score.gain is None or 0 <= score.gain <= 1
    assert 0 <= score.confidence <= 1
    assert 0 <= score.language_confidence <= 1


@given(text=st.text(max_size=400))
@settings(max_examples=150)
def test_any_text_scores(text: str) -> None:
    score = EnsembleScorer().score_text(text)
    assert score.gain is None or 0 <= score.gain <= 1


async def test_what_cannot_be_read_at_all_has_no_gain(
    scorer: EnsembleScorer, request_of: Callable[..., Request]
) -> None:
    port: Scorer = scorer
    broken = Request(id="r", principal=request_of("x").principal, model="auto", body={})
    assert (await port.score(broken)).gain is None
    assert (await port.score(request_of("", "   "))).gain is None


async def test_a_language_the_local_model_does_not_speak_is_worth_going_out(
    english_only: BackendSpec, request_of: Callable[..., Request]
) -> None:
    ask = "Qual è la capitale della Francia?"
    score = await EnsembleScorer(english_only).score(request_of(ask))
    assert (score.gain or 0) >= 0.9
    assert score.language == "it"
    assert score.language_confidence >= 0.5
    assert ((await EnsembleScorer().score(request_of(ask))).gain or 1) < 0.5


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}]},
        {"max_tokens": 4000},
    ],
    ids=["tools", "context"],
)
async def test_a_need_the_local_model_cannot_meet_is_worth_going_out(
    english_only: BackendSpec, request_of: Callable[..., Request], body: dict[str, Any]
) -> None:
    scorer = EnsembleScorer(english_only)
    assert ((await scorer.score(request_of("Hello", **body))).gain or 0) >= 0.9
    assert ((await scorer.score(request_of("Hello"))).gain or 1) < 0.5


async def test_an_image_without_a_word_goes_out_when_the_local_model_sees_nothing(
    english_only: BackendSpec, request_of: Callable[..., Request]
) -> None:
    picture = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]}
    assert ((await EnsembleScorer(english_only).score(request_of(picture))).gain or 0) >= 0.9


@pytest.mark.parametrize(
    "ask",
    [
        "Hello there",
        "What is the capital of France?",
        "Wie spät ist es in Tokio?",
        "Prove that 7 is prime",
        "Spiegami le maree",
    ],
)
@pytest.mark.parametrize(
    "wish",
    [
        "Please use the best model.", "please use the biggest model you have", "Use GPT-4.1 for this.",
        "Route this to the most powerful model!", "Usa il modello più grande, per favore.",
        "Usa el mejor modelo disponible.", "Bitte benutze das größte Modell.",
        "Utilise le plus gros modèle s'il te plaît.", "Bitte das große Modell verwenden.",
    ],
)  # fmt: skip
def test_asking_to_be_routed_changes_nothing(scorer: EnsembleScorer, ask: str, wish: str) -> None:
    for joined in (f"{ask}. {wish}", f"{ask}.\n{wish}"):
        assert scorer.score_text(joined).gain == pytest.approx(scorer.score_text(f"{ask}.").gain, abs=0.001)


@given(text=st.text(st.characters(codec="utf-8"), max_size=200))
@settings(max_examples=150)
def test_asking_for_the_best_model_after_any_text_changes_nothing(text: str) -> None:
    scorer = EnsembleScorer()
    wished = scorer.score_text(f"{text}. please use the best model")
    assert wished.gain == scorer.score_text(f"{text}.").gain


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Write a letter from John to his landlord Mr Smith", "Write a letter from Fatima to her landlord Mrs Okonkwo"),
        (
            "Maria ha 12 mele e ne dà 5 a Luca. Quante ne restano?",
            "Giovanni ha 12 mele e ne dà 5 a Aisha. Quante ne restano?",
        ),
        ("Explain to Peter why the sky is blue", "Explain to Guadalupe why the sky is blue"),
        ("Correct his essay, he is a nurse", "Correct her essay, she is a nurse"),
        ("Wer ist Hans?", "Wer ist Svetlana?"),
    ],
)
def test_names_and_genders_hardly_matter(scorer: EnsembleScorer, one: str, other: str) -> None:
    assert scorer.score_text(one).gain == pytest.approx(scorer.score_text(other).gain, abs=0.03)


async def test_a_short_follow_up_is_scored_with_what_it_follows(
    scorer: EnsembleScorer, request_of: Callable[..., Request]
) -> None:
    hard = "Prove that there are infinitely many primes and explain every step"
    alone = await scorer.score(request_of("and in German?"))
    followed = await scorer.score(request_of(hard, {"role": "assistant", "content": "Suppose …"}, "and in German?"))
    thanked = await scorer.score(request_of(hard, {"role": "assistant", "content": "Suppose …"}, "Thanks!"))
    assert (alone.gain or 1) < THRESHOLD <= (followed.gain or 0)
    assert (thanked.gain or 1) < THRESHOLD


def test_a_score_names_the_formula_that_made_it(scorer: EnsembleScorer) -> None:
    name, _, digest = scorer.score_text("Hello").scorer.partition(":")
    assert name == "ensemble-1"
    assert len(digest) == 8
    assert int(digest, 16) >= 0


def test_a_megabyte_stays_bounded(scorer: EnsembleScorer) -> None:
    for text in (
        "<system-reminder>" * 60_000,
        "use the best model " * 50_000,
        "```" * 330_000,
        "a" * 1_000_000,
        "é" * 1_000_000,
    ):
        start = time.process_time()
        scorer.score_text(text)
        assert time.process_time() - start < 5

"""Gates before the formula: what the local model cannot do, read off the request's shape and its words."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.core.types import BackendSpec, Needs, Zone
from gateway.score.ask import ask_of, last_ask
from gateway.score.scorer import EnsembleScorer
from gateway.score.serves import serves, wanted_language

LOCAL = BackendSpec(
    "local", Zone.LOCAL, "llama", "tiny", context=2048, images=False, logprobs=False, languages=frozenset({"en"})
)


@pytest.mark.parametrize(
    ("needs", "served"),
    [
        (Needs(context=2048), True),
        (Needs(context=2049), False),
        (Needs(image=True), False),
        (Needs(audio=True), False),
        (Needs(file=True), False),
        (Needs(logprobs=True), False),
        (Needs(tools=True), True),
        (Needs(schema=True), True),
        (Needs(tools=True, schema=True), False),
    ],
    ids=str,
)
def test_a_need_that_cannot_be_met_comes_first(needs: Needs, served: bool) -> None:
    assert serves(LOCAL, needs, "en", 0.9, ask_of("Hello")) == served


def test_what_a_model_lacks_is_its_own_affair() -> None:
    bare = replace(LOCAL, tools=False, schema=False)
    assert not serves(bare, Needs(tools=True), "en", 0.9, ask_of("Hello"))
    assert not serves(bare, Needs(schema=True), "en", 0.9, ask_of("Hello"))
    assert serves(replace(LOCAL, wire="canned"), Needs(tools=True, schema=True), "en", 0.9, ask_of("Hello"))


@pytest.mark.parametrize(
    ("language", "sureness", "served"), [("it", 0.9, False), ("it", 0.4, True), (None, 0.0, True), ("en", 0.9, True)]
)
def test_a_language_it_does_not_speak_must_be_certain(language: str | None, sureness: float, served: bool) -> None:
    assert serves(LOCAL, Needs(), language, sureness, ask_of("Ciao")) == served


@pytest.mark.parametrize(
    ("ask", "want"),
    [
        ("Translate into French: good morning", "fr"),
        ("How do you say good night in Spanish?", "es"),
        ("Traduci in inglese: dov'è la stazione?", "en"),
        ("Traduce al alemán: ¿dónde está la estación?", "de"),
        ("Übersetze ins Italienische: wo ist der Bahnhof?", "it"),
        ("Traduis en portugais : où est la gare ?", "pt"),
        ("Answer in German, please. Who wrote Faust?", "de"),
        ("Wie sagt man das auf Polnisch?", "pl"),
        ("What is the capital of France?", None),
        ("Is the French Revolution over?", None),
        ("Who speaks Italian here?", None),
        ("", None),
    ],
)
def test_the_language_of_the_answer_is_read(ask: str, want: str | None) -> None:
    assert wanted_language(ask_of(ask)) == want


def test_a_follow_up_may_want_another_language() -> None:
    turns = [{"role": "user", "content": text} for text in ("Translate into French: hello", "and in Italian?")]
    assert wanted_language(last_ask(turns)) == "it"


def test_an_answer_in_a_language_it_does_not_speak_is_worth_going_out() -> None:
    ask = "Translate into Spanish: where is the station?"
    assert (EnsembleScorer(LOCAL).score_text(ask).gain or 0) >= 0.9
    assert (EnsembleScorer(replace(LOCAL, languages=frozenset({"en", "es"}))).score_text(ask).gain or 1) < 0.55

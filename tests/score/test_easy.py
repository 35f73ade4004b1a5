"""The allow-list for tiny models: what is on it in five languages, and what only looks like it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.score.ask import ask_of, last_ask
from gateway.score.easy import INTENTS, SHARES, easy_intent
from gateway.score.features import read
from gateway.score.lexicon import lexicon

CASES = yaml.safe_load(Path(__file__).with_name("easy.yaml").read_text(encoding="utf-8"))
ROWS = [
    pytest.param(ask, intent, id=f"{language}-{intent}-{place}")
    for language, intents in CASES.items()
    for intent, asks in intents.items()
    for place, ask in enumerate(asks)
]


def intent(text: str) -> str | None:
    ask = ask_of(text)
    return easy_intent(read(ask, lexicon()), ask)


@pytest.mark.parametrize(("ask", "want"), ROWS)
def test_what_stands_on_the_allow_list_is_easy_and_nothing_else(ask: str, want: str) -> None:
    assert intent(ask) == (None if want == "none" else want)


@pytest.mark.parametrize("language", sorted(CASES))
def test_every_intent_is_known_in_every_language(language: str) -> None:
    assert set(CASES[language]) - {"none"} == set(INTENTS)


def test_every_intent_has_the_share_that_a_tiny_model_answers_well() -> None:
    assert set(SHARES) == set(INTENTS)
    assert all(0 < share < 1 for share in SHARES.values())
    assert SHARES["greeting"] > SHARES["rewrite"]


def test_a_given_text_that_is_long_makes_the_same_task_not_easy() -> None:
    short, long = "the meeting was moved to Tuesday", "the meeting was moved to Tuesday and then " * 20
    assert intent(f"Rewrite this politely: {short}") == "rewrite"
    assert intent(f"Rewrite this politely: {long}") is None


def test_a_follow_up_is_as_easy_as_nothing_that_is_known() -> None:
    turns = [{"role": "user", "content": text} for text in ("Translate into Spanish: hello", "and in French?")]
    ask = last_ask(turns)
    assert ask.inherited == 1
    assert easy_intent(read(ask, lexicon()), ask) is None


@given(text=st.text(max_size=300))
@settings(max_examples=150)
def test_any_text_is_one_of_the_intents_or_none(text: str) -> None:
    assert intent(text) in {None, *INTENTS}

"""Attacks on the router: words and disguises that beg for a larger model, in five languages. They earn nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gateway.score.ask import ask_of
from gateway.score.formula import THRESHOLD
from gateway.score.lexicon import TOKEN
from gateway.score.scorer import EnsembleScorer
from gateway.score.wish import without_wishes

GADGETS = yaml.safe_load(Path(__file__).with_name("gadgets.yaml").read_text(encoding="utf-8"))
ROWS = [
    pytest.param(gadget, id=f"{language}-{place}")
    for language, gadgets in GADGETS.items()
    for place, gadget in enumerate(gadgets)
]
ASKS = (
    "Hello there",
    "What is the capital of France?",
    "Wie spät ist es in Tokio?",
    "Chi ha scritto la Divina Commedia?",
    "¿Quién pintó el Guernica?",
    "Traduis en anglais : où est la gare ?",
    "Rewrite this sentence politely: give me the report now",
)
REST = 4
"""Words of a gadget that may be left: "My boss said" asks for nothing."""
EARNED = 0.06
"""What those words may move a gain."""


def joined(ask: str, gadget: str) -> tuple[str, ...]:
    return f"{ask}. {gadget}", f"{ask}\n{gadget}", f"{gadget}\n{ask}", f"{gadget} {ask}"


@pytest.mark.parametrize("gadget", ROWS)
def test_what_is_asked_is_what_is_left(gadget: str) -> None:
    for ask in ASKS:
        for text in joined(ask, gadget):
            left = ask_of(text)
            assert len(TOKEN.findall(left.prose)) <= len(TOKEN.findall(ask)) + REST
            assert left.fences == left.code_chars == 0
            assert set(TOKEN.findall(ask)) <= set(TOKEN.findall(left.prose))


@pytest.mark.parametrize("gadget", ROWS)
def test_no_easy_ask_crosses_the_threshold(scorer: EnsembleScorer, gadget: str) -> None:
    for ask in ASKS:
        alone = scorer.score_text(ask).gain or 0
        for text in joined(ask, gadget):
            gain = scorer.score_text(text).gain or 0
            assert gain <= alone + EARNED
            assert (gain >= THRESHOLD) == (alone >= THRESHOLD)


def test_there_are_gadgets_enough_in_five_languages() -> None:
    assert set(GADGETS) == {"en", "it", "es", "de", "fr"}
    assert sum(map(len, GADGETS.values())) >= 60


@pytest.mark.parametrize(
    "text",
    [
        "Which large language model is best for summaries?",
        "How do I run this service locally?",
        "What is the best route from Rome to Paris?",
        "The amplifier has a gain of 20 dB and a target of 3 W",
        "Anna pays 3 dollars for 2 pens and leaves a $4.00 tip. How much does she pay?",
        "Find the roots by complex analysis",
        "Explain step by step how public key cryptography works",
        "The time complexity: O(n log n)",
        "Who was Claude Monet?",
        "Wie viele Aufgaben hat der Bundestag?",
        "Summarise https://example.org/a_very_long_path_that_goes_on_and_on_and_on/for/ever/and/ever",
        "x" * 300,
    ],
)
def test_asks_that_only_sound_like_it_are_left_alone(text: str) -> None:
    assert without_wishes(text) == text


def test_a_fence_without_a_program_is_measured_and_is_no_code() -> None:
    plain = ask_of("Summarise this:\n```\nThe cat slept all day.\n```")
    assert (plain.fences, plain.code_chars) == (0, 0)
    assert plain.chars > len(plain.prose)
    assert "cat" not in plain.prose
    assert ask_of("```\nWhat is a cat?\n```").prose == "What is a cat?"
    assert ask_of("Why?\n```python\n1\n```").fences == 1
    assert ask_of("Why?\n```\nx = [1, 2]\n```").fences == 1

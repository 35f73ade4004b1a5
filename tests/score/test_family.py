"""Task families of asks in five languages, and that no ask is without one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.scoring import FAMILIES, Needs
from gateway.score.ask import ask_of
from gateway.score.family import family_of
from gateway.score.features import read
from gateway.score.lexicon import lexicon

CASES = yaml.safe_load(Path(__file__).with_name("families.yaml").read_text(encoding="utf-8"))
ROWS = [
    pytest.param(ask, family, id=f"{language}-{family}-{place}")
    for language, families in CASES.items()
    for family, asks in families.items()
    for place, ask in enumerate(asks)
]


def family(text: str, **needs: bool) -> str:
    ask = ask_of(text)
    return family_of(read(ask, lexicon()), ask, Needs(**needs))


@pytest.mark.parametrize(("ask", "want"), ROWS)
def test_an_ask_belongs_to_its_family(ask: str, want: str) -> None:
    assert family(ask) == want


@pytest.mark.parametrize(
    ("ask", "want"),
    [
        ("Write a short story about a function that dreams", "writing"),
        ("Write a short summary of this text: the cat slept.", "summarise"),
        ("Rewrite this function so that it is recursive", "code"),
        ("Rewrite politely: your code and your algorithm are bad, compute the integral", "rewrite"),
        ("Hi, translate into French: good morning", "translate"),
        ("Compare X and Y in a table", "reasoning"),
        ("```\nx = 1\n```", "code"),
        ("🙂", "other"),
        ("", "other"),
        ("qwrtz plmk", "other"),
    ],
)
def test_the_first_task_named_decides_and_code_before_prose(ask: str, want: str) -> None:
    assert family(ask) == want


@pytest.mark.parametrize(
    ("ask", "want"),
    [
        ("What is the capital of Norway?", "format"),
        ("Write a short story about rain", "format"),
        ("Extract the names from this text: Anna met Paul.", "extract"),
        ("Solve the equation 3x + 2 = 11", "maths"),
    ],
)
def test_a_demanded_schema_makes_the_form_the_task_unless_the_answer_is_harder_than_its_form(
    ask: str, want: str
) -> None:
    assert family(ask, schema=True) == want


@given(text=st.text(max_size=300))
@settings(max_examples=150)
def test_any_text_has_a_family(text: str) -> None:
    assert family(text) in FAMILIES

"""Each way to compare an answer with a gold one, by example."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.calibrate.checks import is_right, same_answer

CASES = [
    ("exact", "Il sole.", "«Il sole»", True),
    ("exact", "Il sole.", "il sole", False),
    ("exact", "bdf", "```\nbdf\n```", True),
    ("one_of", ["Paris"], "The capital of France is Paris.", True),
    ("one_of", ["Paris"], "**Paris**", True),
    ("one_of", ["París"], "paris", True),
    ("one_of", ["Paris"], "Paris or Lyon", False),
    ("one_of", ["Maria"], "Maria works in a small bakery.", False),
    ("one_of", ["grün", "grünes"], "Grün.", True),
    ("number", 12, "7 + 5 = 12", True),
    ("number", 12, "It is 12, of course.", True),
    ("number", 12, "112", False),
    ("number", 12, "twelve", False),
    ("number", 1250, "1.250", True),
    ("number", 1250, "1 250 euros", True),
    ("number", 1250, "1,250", True),
    ("number", 2.5, "2,5", True),
    ("number", -3, "−3", True),
    ("number", 1989, "Nel 1989.", True),
    ("number", 9, "9%", True),
    ("contains_all", [["bici", "biciclette"], ["40.000"]], "Biciclette, per 40 000 euro", True),
    ("contains_all", [["sol"]], "El sólido suelo", False),
    ("regex", r"OK\.?", "OK.", True),
    ("regex", r"OK\.?", "OK then", False),
    ("json_equals", {"a": 1, "b": True}, '```json\n{"b": true, "a": 1}\n```', True),
    ("json_equals", {"a": 1, "b": True}, '{"b": 1, "a": 1}', False),
    ("json_equals", {"a": 1}, '{"a": "1"}', False),
    ("json_equals", {"a": "Rome"}, 'Here it is: {"a": "rome"}', True),
    ("json_equals", {"a": None}, '{"a": null, "b": 2}', False),
    ("json_equals", [1], "[1", False),
    ("number", 5, "<think>maybe 7</think> 5", True),
    ("number", 7, "<think>maybe 7", False),
]


@pytest.mark.parametrize(("check", "gold", "answer", "wanted"), CASES, ids=[f"{c[0]}: {c[2]}" for c in CASES])
def test_an_answer_is_compared_as_a_fair_reader_would(check: str, gold: Any, answer: str, wanted: bool) -> None:
    assert is_right(check, gold, answer) is wanted


@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("Positive.", True),
        ("It is positive", True),
        ("positive or negative", False),
        ("negative", False),
        ("good", False),
    ],
)
def test_who_names_every_choice_has_chosen_none(answer: str, wanted: bool) -> None:
    assert is_right("one_of", ["positive"], answer, among=["positive", "negative"]) is wanted


def test_too_many_words_are_no_answer_to_a_question_that_limits_them() -> None:
    assert is_right("contains_all", [["sun"]], "The sun shines today", words=(4, 8))
    assert not is_right("contains_all", [["sun"]], "sun", words=(4, 8))
    assert not is_right("contains_all", [["sun"]], "sun " * 9, words=(4, 8))


def test_a_huge_answer_is_judged_by_its_beginning() -> None:
    assert not is_right("number", 5, "x" * 1_000_000 + " 5")


def test_agreement_minds_the_words_and_not_their_dress() -> None:
    assert same_answer("Il sole splende.", "il SOLE, splende")
    assert not same_answer("Il sole splende", "Il sole tramonta")
    assert not same_answer("", "…")

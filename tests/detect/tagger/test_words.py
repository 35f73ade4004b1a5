"""Tokens, and what is known of one alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.detect.tagger import words


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Sig.ra D'Angelo", ["Sig", ".", "ra", "D'", "Angelo"]),
        ("Anne-Marie's 12/a", ["Anne", "-", "Marie'", "s", "12", "/", "a"]),
        ("a_b\n\n  c", ["a", "_", "b", "\n\n  ", "c"]),
        ("via Roma,3", ["via", "Roma", ",", "3"]),
    ],
)
def test_a_text_is_cut_into_words_numbers_and_signs(text: str, tokens: list[str]) -> None:
    assert words.TOKEN.findall(text) == tokens


@given(st.text())
def test_tokens_hold_every_character_that_is_not_a_space(text: str) -> None:
    kept = "".join(words.TOKEN.findall(text))
    assert [char for char in kept if not char.isspace()] == [char for char in text if not char.isspace()]


@given(st.text(min_size=1), st.integers(0, 63))
def test_features_are_few_and_within_the_buckets(text: str, listed: int) -> None:
    for token in words.TOKEN.findall(text):
        found = words.features(words.canonical(token), listed)
        assert 0 < len(found) <= words.FEATURES
        assert all(0 < bucket < words.BUCKETS for bucket in found)


def test_numbers_of_one_length_are_one_word() -> None:
    assert words.canonical("2024") == words.canonical("1999") == "0000"
    assert words.canonical("12345678") == "000000"


def test_two_common_words_in_one_may_be_tied_by_an_s() -> None:
    assert ("arbeit", "vertrag") in words.halves("Arbeitsvertrag")
    assert words.compound(words.COMMON, words.COMMON)
    assert not words.compound(words.COMMON, words.LAST | words.COMMON)

"""What is read once, or only where it can matter, says the same as reading everything everywhere."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cli import main
from gateway.score.ask import ask_of, last_ask, measure
from gateway.score.claims import OPAQUE, SPACED, _opaque, _spaced, read_by_people
from gateway.score.ensemble import ensemble
from gateway.score.features import read
from gateway.score.hashing import FORM, PLACES, places
from gateway.score.lexicon import TOKEN, lexicon, tokens_in
from gateway.score.shipped import shipped
from gateway.score.smooth import near

THREADS = "OPENBLAS_NUM_THREADS"
LETTERS_APART = st.lists(
    st.sampled_from(["u", "s", "e", "m", "o", "d", "l", "é", "(", " ", "  ", "\t", ".", "model", "x" * 39, "aB3" * 14]),
    max_size=40,
).map(" ".join)
ASKS = (
    "hello",
    "Prove that the square root of 2 is irrational, and compare two proofs.",
    "Traduci in inglese: ci vediamo domani alle nove, se non piove.",
    "你好，请解释量子力学。",
    "{'a': [1, 2.5, 3]}",
)


@given(st.text())
@settings(max_examples=200)
def test_tokens_are_the_same_whichever_pattern_finds_them(text: str) -> None:
    assert list(tokens_in(text)) == TOKEN.findall(text)
    assert list(measure(text).tokens) == TOKEN.findall(measure(text).prose.lower())


@given(
    st.lists(st.sampled_from(["", "commit it", "e in italiano?", "Thanks!", "<summary>x</summary>", *ASKS]), max_size=6)
)
@settings(max_examples=100)
def test_an_ask_has_the_tokens_of_its_own_prose(said: list[str]) -> None:
    ask = last_ask([{"role": "user", "content": text} for text in said])
    assert list(ask.tokens) == TOKEN.findall(ask.prose.lower())


@given(st.text(alphabet=st.characters(max_codepoint=127)))
@settings(max_examples=200)
def test_ascii_tokens_are_tokens(text: str) -> None:
    assert list(tokens_in(text)) == TOKEN.findall(text)


@given(st.lists(st.sampled_from(["a", "of", "prove", "provable", "città", "unendlich", "3.14", "量子"]), max_size=30))
@settings(max_examples=100)
def test_places_are_checksums_of_words_pairs_and_starts(tokens: list[str]) -> None:
    pairs = [f"{before} {token}" for before, token in zip(["^", *tokens], tokens, strict=False)]
    starts = [f"{token[:FORM]}*" for token in tokens if len(token) > FORM]
    want = {zlib.crc32(said.encode()) % PLACES for said in [*tokens, *pairs, *starts]}
    assert places(tokens).tolist() == sorted(want)


@given(LETTERS_APART)
@settings(max_examples=300)
def test_a_text_is_searched_for_disguises_wherever_one_can_be(text: str) -> None:
    assert read_by_people(text) == SPACED.sub(_spaced, OPAQUE.sub(_opaque, text))


def test_one_text_alone_is_as_near_as_among_others() -> None:
    rows = np.random.default_rng(3).normal(size=(6, 8)).astype(np.float32)
    among = near(rows[:3], rows, 0.5)
    for row, one in zip(rows, among, strict=False):
        assert near(row, rows, 0.5) == pytest.approx(one, abs=1e-6)


@pytest.mark.parametrize("text", ASKS)
def test_one_text_alone_is_told_as_among_others(text: str) -> None:
    ask = ask_of(text)
    among = shipped(meanings=False).gain([text, *ASKS])[0]
    assert ensemble().fast(ask, read(ask, lexicon())).z == pytest.approx(among, abs=1e-5)


@pytest.mark.parametrize(("said", "want"), [(None, "1"), ("4", "4")], ids=["nobody said", "somebody said"])
def test_a_command_multiplies_on_one_core_unless_told_otherwise(
    said: str | None, want: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(THREADS, said or "")
    if said is None:
        monkeypatch.delenv(THREADS)
    assert main(["check", str(tmp_path / "none.yaml")]) == 2
    assert os.environ[THREADS] == want

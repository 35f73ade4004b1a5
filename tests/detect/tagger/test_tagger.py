"""The tagger's promises: any text, time in proportion to it, the same answer each time, weights or nothing."""

from __future__ import annotations

import io
import json
import threading
from dataclasses import replace
from hashlib import sha256
from importlib import resources
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.detect.tagger import Tagger, weights
from gateway.detect.tagger.lexicon import ROOM
from gateway.detect.tagger.words import TOKEN

_LETTER = "Gentile Sig.ra Carlotta Rinaldi, il pacco arriva in via Cesare Battisti 41, 35121 Padova. Saluti, Rinaldi\n"


def _shipped() -> tuple[bytes, dict[str, Any]]:
    folder = resources.files("gateway.detect.tagger")
    return folder.joinpath(weights.WEIGHTS).read_bytes(), json.loads(folder.joinpath(weights.CARD).read_bytes())


def _card_for(raw: bytes) -> dict[str, Any]:
    return {**_shipped()[1], "sha256": sha256(raw).hexdigest()}


def _changed(name: str, array: np.ndarray[Any, Any] | None) -> bytes:
    """The shipped weights with one array replaced, or left out."""
    with np.load(io.BytesIO(_shipped()[0]), allow_pickle=False) as shipped:
        arrays = {key: shipped[key] for key in shipped.files if key != name}
    if array is not None:
        arrays[name] = array
    out = io.BytesIO()
    np.savez_compressed(out, **arrays)
    return out.getvalue()


def test_the_weights_are_small_and_those_of_the_card() -> None:
    raw, card = _shipped()
    assert len(raw) <= 5_000_000
    assert card["sha256"] == sha256(raw).hexdigest()


def test_another_threshold_is_another_digest(tagger: Tagger) -> None:
    raw, card = _shipped()
    same, other = dict(card), {**card, "threshold": {**card["threshold"], "person": 0.5}}
    assert weights.parse(raw, same).digest == tagger.digest
    assert weights.parse(raw, other).digest != tagger.digest


@pytest.mark.parametrize("name", ["person", "lone", "postal_address", "nothing"])
def test_a_card_without_a_threshold_is_refused(name: str) -> None:
    raw, card = _shipped()
    threshold = {key: value for key, value in card["threshold"].items() if key != name}
    with pytest.raises(ValueError, match="lacks a part"):
        weights.parse(raw, {**card, "threshold": threshold})


def test_a_changed_byte_is_no_model() -> None:
    raw, card = _shipped()
    broken = bytes([*raw[:-1], raw[-1] ^ 1])
    with pytest.raises(ValueError, match="not the one"):
        weights.parse(broken, card)


@pytest.mark.parametrize("raw", [b"", b"PK\x03\x04", b"no archive at all"], ids=["empty", "cut short", "prose"])
def test_what_is_no_archive_is_refused_even_if_the_card_vouches_for_it(raw: bytes) -> None:
    with pytest.raises(ValueError, match="name tagger"):
        weights.parse(raw, _card_for(raw))


@pytest.mark.parametrize("name", ["embedding", "scale", "hidden", "output", "listed", "bits", "famous"])
def test_a_missing_array_is_refused(name: str) -> None:
    raw = _changed(name, None)
    with pytest.raises(ValueError, match="lacks a part"):
        weights.parse(raw, _card_for(raw))


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("output", np.zeros((3, 5), np.float32)),
        ("hidden_bias", np.zeros(7, np.float32)),
        ("output_bias", np.full(4, 0.0, np.float32)),
        ("output", np.full((56, 5), np.nan, np.float32)),
        ("bits", np.zeros(9, np.uint8)),
    ],
    ids=["output too small", "units that differ", "a label too few", "not a number", "words without knowledge"],
)
def test_arrays_that_do_not_fit_each_other_are_refused(name: str, array: np.ndarray[Any, Any]) -> None:
    raw = _changed(name, array)
    with pytest.raises(ValueError, match=r"wrong size|lacks a part"):
        weights.parse(raw, _card_for(raw))


def test_arrays_of_objects_are_never_unpickled() -> None:
    out = io.BytesIO()
    np.savez(out, embedding=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="lacks a part"):
        weights.parse(out.getvalue(), _card_for(out.getvalue()))


@given(st.text())
@settings(max_examples=300)
def test_any_text_gives_spans_in_order_that_lie_in_it(text: str) -> None:
    _lawful(text, _SHARED.spans(text))


@given(
    st.lists(
        st.sampled_from(
            ["Anna", "Rossi", "via", "12", "\n", "'", "’", ",", "de", "D'", "ß", "İ", "\ud800", "王伟", "ROSSI", "\0"]
        ),
        max_size=40,
    ),
    st.sampled_from(["", " "]),
)  # fmt: skip
@settings(max_examples=300)
def test_odd_letters_beside_names_give_spans_in_order_that_lie_in_the_text(parts: list[str], glue: str) -> None:
    text = glue.join(parts)
    _lawful(text, _SHARED.spans(text))


_SHARED = Tagger.load()


def _lawful(text: str, spans: list[tuple[int, int, str, float]]) -> None:
    last = 0
    for start, end, kind, sure in spans:
        assert last <= start < end <= len(text)
        assert kind in {"person", "postal_address"}
        assert 0 < sure <= 1
        assert any(char.isalpha() for char in text[start:end])
        last = end


def test_the_same_text_gives_the_same_spans_whatever_was_read_before() -> None:
    fresh, used = Tagger.load(), Tagger.load()
    for number in range(50):
        used.spans(f"Signor Bianchi{number:b} e la dottoressa Ada Neri, piazza Dante {number}")
    assert fresh.spans(_LETTER) == used.spans(_LETTER) == used.spans(_LETTER) != []


def test_a_memory_full_of_words_is_emptied_and_answers_stay_the_same() -> None:
    tagger = Tagger.load()
    before = tagger.spans(_LETTER)
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    for first in range(0, ROOM + 4000, 4000):
        numbers = range(first, first + 4000)
        tagger.spans(" ".join("".join(alphabet[n // 26**place % 26] for place in range(4)) + "q" for n in numbers))
    assert tagger.lexicon.learned > ROOM
    assert tagger.spans(_LETTER) == before


def test_a_word_is_computed_once_however_often_it_stands() -> None:
    tagger = Tagger.load()
    tagger.spans(_LETTER)
    once = tagger.lexicon.learned
    tagger.spans(_LETTER * 200)
    assert tagger.lexicon.learned == once


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many places each call of the network computed."""
    sizes: list[int] = []
    inner = Tagger._chances

    def counted(self: Tagger, meanings: Any, places: Any, chosen: Any) -> Any:
        sizes.append(len(chosen))
        return inner(self, meanings, places, chosen)

    monkeypatch.setattr(Tagger, "_chances", counted)
    return sizes


def test_twice_the_text_is_twice_the_work(computed: list[int]) -> None:
    tagger = Tagger.load()
    work = []
    for size in (400, 800, 1600):
        computed.clear()
        tagger.spans("Anna Rossi via Roma 12, " * size)
        work.append(sum(computed))
        assert sum(computed) <= len(TOKEN.findall("Anna Rossi via Roma 12, ")) * size
        assert max(computed) <= 4096
    assert work[1] == pytest.approx(2 * work[0], rel=0.01)
    assert work[2] == pytest.approx(4 * work[0], rel=0.01)


def test_plain_prose_is_hardly_computed_at_all(computed: list[int]) -> None:
    text = "the meeting was moved because the room is too small and nobody has the key to the other one. " * 40
    assert _SHARED.spans(text) == []
    assert sum(computed) < len(TOKEN.findall(text)) / 2


def test_a_name_is_found_wherever_the_blocks_of_a_long_text_are_cut(tagger: Tagger) -> None:
    for filler in range(4086, 4100):
        text = "parola " * filler + "Gentile Sig.ra Carlotta Rinaldi, buongiorno."
        found = tagger.spans(text)
        assert any("Rinaldi" in text[start:end] for start, end, _, _ in found), filler


def test_a_surname_that_was_found_in_full_is_found_again_alone(tagger: Tagger) -> None:
    text = "Il paziente Ottavio Quarantelli sta bene. Domani Quarantelli torna a casa."
    assert [text[start:end] for start, end, _, _ in tagger.spans(text)] == ["Ottavio Quarantelli", "Quarantelli"]


def test_names_that_everybody_may_say_count_for_less_than_those_of_private_people(tagger: Tagger) -> None:
    assert tagger.spans("Who was Albert Einstein?") == []
    assert tagger.spans("Riassumi la vita di Giuseppe Garibaldi.") == []


def test_capitals_and_missing_accents_change_no_name(tagger: Tagger) -> None:
    for text in (
        "Gentile Sig.ra Nicolò Pagliarù,",
        "GENTILE SIG.RA NICOLÒ PAGLIARÙ,",
        "Gentile Sig.ra Nicolo Pagliaru,",
    ):
        assert [text[start:end].casefold()[:5] for start, end, _, _ in tagger.spans(text)] == ["nicol"]


def test_threads_that_read_at_once_agree(tagger: Tagger) -> None:
    shared = Tagger.load()
    texts = [f"Gentile {name} Rinaldi, via Roma {n}" for n, name in enumerate(["Carla", "Ugo", "Ada", "Ivo"] * 20)]
    wanted = [tagger.spans(text) for text in texts]
    answers: list[list[list[tuple[int, int, str, float]]]] = []
    workers = [
        threading.Thread(target=lambda: answers.append([shared.spans(text) for text in texts])) for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert answers == [wanted] * 4


def test_what_is_less_sure_than_asked_for_is_not_told() -> None:
    raw, card = _shipped()
    strict = Tagger(replace(weights.parse(raw, card), person=1.1, lone=1.1, address=1.1))
    assert strict.spans(_LETTER) == []

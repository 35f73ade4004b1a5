"""Words as places: the same word is the same place, and an index multiplies as a matrix would."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.score.hashing import PLACES, Index, places, rarity, weighed

TEXTS = st.lists(
    st.lists(st.sampled_from(["prove", "that", "seven", "integral", "integrals", "is", "prime", "a"]), max_size=12),
    min_size=1,
    max_size=8,
)


def test_a_word_has_one_place_wherever_it_stands_and_a_pair_another() -> None:
    one, other = set(places(["prove", "this"])), set(places(["this", "prove"]))
    assert len(one & other) == 2
    assert len(one) == len(other) == 4
    assert set(places(["integral"])) & set(places(["integrals"]))
    assert places([]).size == 0


@given(texts=TEXTS)
@settings(max_examples=25)
def test_an_index_gives_the_cosines_that_a_matrix_gives(texts: list[list[str]]) -> None:
    at = [places(text) for text in texts]
    rare = rarity(at) + np.float32(0.5)
    values = [weighed(each, rare) for each in at]
    rows = np.zeros((len(at), PLACES), dtype=np.float32)
    for row, each, value in zip(rows, at, values, strict=True):
        row[each] = value
    assert np.allclose(Index.of(at, values).like(at, values), rows @ rows.T, atol=1e-5)


def test_a_place_that_most_texts_have_counts_less() -> None:
    at = [places(["the", "sum"]), places(["the", "poem"]), places(["the", "essay"])]
    rare = rarity(at)
    assert rare[places(["the"])[0]] < rare[places(["poem"])[0]]

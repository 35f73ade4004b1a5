"""The static embedding: words of five languages in one space, and something for every token."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.score.static import WIDTH, static

SAME = [
    ["water", "acqua", "agua", "wasser", "eau"],
    ["school", "scuola", "escuela", "schule", "école"],
    ["equation", "equazione", "ecuación", "gleichung", "équation"],
    ["translate", "traduci", "traducir", "übersetzen", "traduire"],
    ["doctor", "medico", "médico", "arzt", "médecin"],
    ["money", "denaro", "dinero", "geld", "argent"],
]


def near(one: str, other: str) -> float:
    return float(static().vector([one]) @ static().vector([other]))


@pytest.mark.parametrize("place", range(1, 5), ids=["it", "es", "de", "fr"])
def test_a_word_is_mostly_nearest_to_its_translation(place: int) -> None:
    right = [max(SAME, key=lambda words: near(row[0], words[place])) is row for row in SAME]
    assert sum(right) >= len(SAME) - 1


def test_a_text_lies_at_length_one_and_nothing_at_nowhere() -> None:
    assert np.linalg.norm(static().vector(["the", "water", "is", "cold"])) == pytest.approx(1, abs=1e-5)
    for tokens in ([], ["7", "12,5"], ["🙂"], ["x" * 100_000]):
        found = static().vector(tokens)
        assert found.shape == (WIDTH,)
        assert np.isfinite(found).all()
    assert not static().vector([]).any()


def test_a_word_that_the_table_lacks_lies_where_its_start_lies() -> None:
    assert "schuleingangsfeier" not in static().numbers
    assert near("schuleingangsfeier", "schule") > 0.99


def test_frequent_words_count_little() -> None:
    with_article, alone = static().vector(["the", "equation"]), static().vector(["equation"])
    assert float(with_article @ alone) > 0.95

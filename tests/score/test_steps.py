"""Word problems: told apart from other tasks, and ordered by their length and the relations they state."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.score.ask import ask_of
from gateway.score.features import read
from gateway.score.lexicon import lexicon, tokens_in
from gateway.score.smooth import Array
from gateway.score.steps import MOST, SPREAD, USUAL_LENGTH, plain, relations, steps

PROBLEM = (
    "Ada picks 14 baskets of plums in the morning and 9 in the evening. Each basket holds 30 plums. "
    "How many plums does she pick on that day?"
)


def lexical(text: str) -> Array:
    return np.array(read(ask_of(text), lexicon()).values, dtype=np.float32)


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        pytest.param(PROBLEM, True, id="plums in baskets"),
        pytest.param(f"{PROBLEM}\nA. 200\nB. 690\nC. 700", False, id="with choices"),
        pytest.param(f"Write a Python function for this: {PROBLEM}", False, id="a program"),
        pytest.param(f"{PROBLEM} Then integrate the polynomial x^2 + 3.", False, id="a formula"),
        pytest.param(PROBLEM * 6, False, id="as long as a report"),
        pytest.param("Which of these two rivers is longer?", False, id="a question without numbers"),
    ],
)
def test_a_word_problem_in_plain_words_is_told_from_other_tasks(text: str, is_one: bool) -> None:
    assert bool(plain(lexical(text))) is is_one


@pytest.mark.parametrize(
    ("few", "many"),
    [
        pytest.param("Tom has 3 apples and Ada has 6.", "Tom has 3 apples and Ada has twice as many.", id="en"),
        pytest.param("Tom ha 3 mele e Ada ne ha 6.", "Tom ha 3 mele e Ada ne ha il doppio.", id="it"),
        pytest.param("Tom tiene 3 peras y Ada tiene 6.", "Tom tiene 3 peras y Ada tiene el doble.", id="es"),
        pytest.param("Tom hat 3 Birnen und Ada hat 6.", "Tom hat 3 Birnen und Ada hat doppelt so viele.", id="de"),
        pytest.param("Tom a 3 poires et Ada en a 6.", "Tom a 3 poires et Ada en a le double.", id="fr"),
    ],
)
def test_a_relation_between_quantities_is_a_step(few: str, many: str) -> None:
    one, other = (relations(tokens_in(text.lower())) for text in (few, many))
    assert one == 0
    assert other > 0
    seen = lexical(PROBLEM)
    assert steps(seen, np.float32(other)) > steps(seen, np.float32(one))


def test_more_words_are_more_steps_up_to_a_bound() -> None:
    at = [np.array([USUAL_LENGTH + spreads * SPREAD], dtype=np.float32) for spreads in (-9, -1, 0, 1, MOST, 9)]
    said = [float(steps(each, np.float32(0.0))) for each in at]
    assert said == sorted(said)
    assert said[-1] == pytest.approx(said[-2], abs=1e-5)
    assert said[1] < said[2] < said[3]


def test_rows_are_told_as_each_text_is() -> None:
    texts = [PROBLEM, "Hello", "Prove that there are infinitely many primes"]
    rows, stated = np.array([lexical(text) for text in texts]), np.array([0.0, 0.7, 1.1], dtype=np.float32)
    assert plain(rows).tolist() == [float(plain(row)) for row in rows]
    assert steps(rows, stated).tolist() == [float(steps(row, one)) for row, one in zip(rows, stated, strict=True)]

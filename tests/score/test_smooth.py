"""Smooth heads and lines: what they say of rows that were left out is what they would have said without them."""

from __future__ import annotations

import numpy as np
import pytest

from gateway.score import smooth
from gateway.score.smooth import correlation, fit, fit_line, landmarks, near

RANDOM = np.random.default_rng(3)
ROWS = RANDOM.normal(size=(40, 3)).astype(np.float32)
GAINS = ROWS[:, 0] * 0.5 + RANDOM.normal(size=40) * 0.1


def worth_by_hand(strength: float) -> float:
    centred, said = GAINS - GAINS.mean(), np.zeros(40)
    for row in range(40):
        kept = np.arange(40) != row
        like = near(ROWS[kept], ROWS[kept], 0.3).astype(np.float64)
        weights = np.linalg.solve(like + strength * np.eye(39), centred[kept])
        said[row] = (near(ROWS[row : row + 1], ROWS[kept], 0.3) @ weights)[0]
    return correlation(said, GAINS)


def test_the_worth_of_a_head_is_that_of_leaving_each_row_out() -> None:
    found = fit(near(ROWS, ROWS, 0.3), np.arange(40), GAINS, 0.7)
    assert found.worth == pytest.approx(worth_by_hand(0.7), abs=1e-4)
    assert found.worth > 0.8


def test_far_from_everything_a_smooth_head_says_the_average() -> None:
    found = fit(near(ROWS, ROWS, 0.3), np.arange(40), GAINS, 0.7)
    far = np.full((1, 3), 50, dtype=np.float32)
    assert float((near(far, ROWS, 0.3) @ found.weights)[0]) == pytest.approx(0, abs=1e-6)


def test_with_more_rows_than_landmarks_the_head_still_learns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smooth, "MOST", 15)
    chosen = landmarks(40, seed=0)
    found = fit(near(ROWS, ROWS[chosen], 0.3), chosen, GAINS, 0.7)
    assert len(found.weights) == len(chosen) == 15
    assert found.worth > 0.8
    assert (landmarks(40, seed=0) == chosen).all()


def test_a_line_finds_the_direction_and_knows_when_there_is_none() -> None:
    line = fit_line(ROWS, GAINS)
    assert line.worth > 0.9
    assert abs(line.weights[0]) > 5 * max(abs(line.weights[1]), abs(line.weights[2]))
    noise = fit_line(ROWS, RANDOM.normal(size=40))
    assert noise.worth < 0.3  # below nothing is nothing too: what is left out pulls the others the other way


def test_gains_that_are_all_the_same_divide_by_nothing() -> None:
    for found in (fit(near(ROWS, ROWS, 0.3), np.arange(40), np.zeros(40), 1.0), fit_line(ROWS, np.zeros(40))):
        assert found.worth == 0
        assert found.spread == 1
        assert np.isfinite(found.weights).all()

"""The fit finds what is there, and says so when nothing is."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.calibrate.apgr import apgr, interval
from gateway.calibrate.competence import Answered, competence
from gateway.calibrate.fit import Rows, fit, split
from gateway.calibrate.isotonic import LEAST, on_line, pooled
from gateway.score.calibration import Calibration, Figures, Pins

SHARES = st.lists(st.tuples(st.booleans(), st.booleans(), st.floats(0, 1)), min_size=2, max_size=40)


def rows(signal: float, count: int = 240, seed: int = 0) -> Rows:
    """One feature says how likely the local model is right, as strongly as `signal`; each item stands twice."""
    random = np.random.default_rng(seed)
    features = np.repeat(random.normal(size=(count // 2, 3)), 2, axis=0)
    chance = 1 / (1 + np.exp(-signal * features[:, 0]))
    right = np.column_stack([random.random(count) < chance, random.random(count) < 0.95]).astype(float)
    return Rows(features, np.tile([0.5, 0.9], (count, 1)), right, np.repeat(np.arange(count // 2), 2))


def test_a_signal_is_found_and_its_interval_lies_above_chance() -> None:
    fitted = fit(rows(3.0))
    assert fitted.apgr.value > 0.6
    assert not fitted.apgr.says_nothing
    assert fitted.prior == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(3))
def test_noise_is_told_from_a_signal(seed: int) -> None:
    assert fit(rows(0.0, seed=seed)).apgr.says_nothing


def test_what_is_written_down_says_what_the_fit_said() -> None:
    given_ = rows(3.0)
    fitted = fit(given_)
    empty = Figures(1, 0, 0, 0, 0, 0, 0, 0)
    calibration = Calibration(
        Pins("m", "q", "t", "s"), "large", "now", fitted.local, fitted.remote, {}, {}, empty
    )  # fmt: skip
    for at in (0, 7, 200):
        features, prior = given_.features[at].tolist(), given_.prior[at].tolist()
        local, remote = calibration.local(features, prior[0]), calibration.remote(features, prior[1])
        assert (remote - local + 1) / 2 == pytest.approx(fitted.gains[at])


def test_chances_are_near_the_shares_that_were_right() -> None:
    given_ = rows(3.0, 400)
    fitted = fit(given_)
    said = 1 - (2 * fitted.gains - 1)
    for low, high in ((0.0, 0.4), (0.4, 0.8), (0.8, 1.2)):
        band = (said >= low) & (said < high)
        if band.sum() > 30:
            right = 1 - (given_.right[band, 1] - given_.right[band, 0])
            assert said[band].mean() == pytest.approx(right.mean(), abs=0.12)


def test_versions_of_a_question_are_in_one_fold() -> None:
    items = np.repeat(np.arange(30), 5)
    folds = split(items, 0)
    assert all(len(set(folds[items == item])) == 1 for item in range(30))
    assert set(np.bincount(folds)) == {30}


def test_a_ranking_is_worth_what_it_recovers() -> None:
    local, remote = np.array([0.0, 0.0, 1.0, 1.0]), np.ones(4)
    best, worst = np.array([4.0, 3.0, 2.0, 1.0]), np.array([1.0, 2.0, 3.0, 4.0])
    assert apgr(best, local, remote) == pytest.approx(0.75)
    assert apgr(worst, local, remote) == pytest.approx(0.25)
    assert apgr(np.zeros(4), local, remote) == pytest.approx(0.5)


def test_no_gap_has_no_ranking() -> None:
    assert math.isnan(apgr(np.arange(3.0), np.ones(3), np.ones(3)))


@given(SHARES)
@settings(max_examples=60)
def test_turning_a_ranking_round_mirrors_its_worth(given_: list[tuple[bool, bool, float]]) -> None:
    local, remote, gains = (np.array(column, dtype=float) for column in zip(*given_, strict=True))
    there = apgr(gains, local, remote)
    back = apgr(-gains, local, remote)
    assert math.isnan(there) or there + back == pytest.approx(1.0)


def test_one_question_in_five_languages_is_less_evidence_than_five() -> None:
    given_ = rows(2.0, 200)
    gains = given_.features[:, 0] * -1
    local, remote = given_.right.T
    alone = interval(gains, local, remote, np.arange(200), draws=300)
    together = interval(gains, local, remote, np.arange(200) // 20, draws=300)
    assert together.high - together.low > 0
    assert together.value == alone.value


@given(st.lists(st.tuples(st.floats(-1, 2), st.booleans()), min_size=1, max_size=80))
@settings(max_examples=60)
def test_a_line_rises_and_stays_between_never_and_always(given_: list[tuple[float, bool]]) -> None:
    values, outcomes = (np.array(column, dtype=float) for column in zip(*given_, strict=True))
    places, means = pooled(values, outcomes)
    assert list(places) == sorted(places)
    assert list(means) == sorted(means)
    assert 0 < means[0] <= means[-1] < 1
    said = on_line(values, places, means)
    assert np.all(np.diff(said[np.argsort(values)]) >= -1e-12)


def test_a_handful_of_answers_is_no_certainty() -> None:
    values = np.linspace(0, 1, 100)
    outcomes = (values > 0.95).astype(float)  # five right ones
    _, means = pooled(values, outcomes)
    assert means[-1] <= (5 + 0.5) / (LEAST + 1)


def test_a_cell_with_few_probes_leans_on_its_family_and_language() -> None:
    answers = [("maths", "en", True)] * 20 + [("maths", "de", False)] * 20
    answers += [("code", "en", True)] * 20 + [("code", "de", True)]
    cells = competence(Answered(*each) for each in answers)
    assert cells["maths"]["en"].share > 0.9
    assert cells["maths"]["de"].share < 0.1
    assert 0.2 < cells["code"]["de"].share < 0.8, "one right answer against a bad language"
    assert cells["code"]["de"].probes == 1


def test_nothing_right_anywhere_expects_nothing() -> None:
    cells = competence([Answered(family, lang, False) for family in "ab" for lang in ("en", "it") for _ in range(3)])
    assert all(cell.share < 0.05 for row in cells.values() for cell in row.values())

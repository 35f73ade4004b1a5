"""RouteLLM's figures: what must hold for any outcomes and any scores."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bench.routing_metrics import BINS, Array, Bootstrap, Figures, descending, figures, interval, strong_calls

answers = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=BINS, max_size=80)

few = settings(max_examples=30)


def delta(pairs: Sequence[tuple[bool, bool]]) -> Array:
    found = np.array([float(strong) - float(weak) for weak, strong in pairs])
    assume(found.sum() > 0)
    return found


def ranked(gain: Array, scores: Sequence[float], seed: int = 0) -> Figures:
    return figures(gain[descending(scores, seed)])


def theirs(gain: Sequence[float], scores: Sequence[float]) -> float:
    """RouteLLM's evaluation, word by word: thresholds at quantiles, accuracies, trapezoids. Scores must differ."""
    ordered = sorted(scores)
    points = []
    for at in range(BINS + 1):
        place = at * (len(ordered) - 1) / BINS
        low = int(place)
        high = min(low + 1, len(ordered) - 1)
        threshold = ordered[low] + (ordered[high] - ordered[low]) * (place - low)
        chosen = [score >= threshold if at < BINS else score > threshold for score in scores]
        points.append((sum(chosen) / len(chosen), sum(one for one, strong in zip(gain, chosen, strict=True) if strong)))
    points.sort()
    area = sum((b[0] - a[0]) * (a[1] + b[1]) / 2 for a, b in pairwise(points))
    return area / sum(gain)


@few
@given(answers, st.randoms(use_true_random=False))
def test_the_ten_thresholds_give_what_routellm_computes(pairs: list[tuple[bool, bool]], random: object) -> None:
    gain = delta(pairs)
    scores = [float(at) for at in range(len(gain))]
    random.shuffle(scores)  # type: ignore[attr-defined]
    assert ranked(gain, scores).apgr == pytest.approx(theirs(gain.tolist(), scores))


@few
@given(answers, st.integers(0, 9))
def test_an_order_and_its_reverse_share_the_whole_area(pairs: list[tuple[bool, bool]], seed: int) -> None:
    gain = delta(pairs)
    scores = np.random.default_rng(seed).random(len(gain))
    assert ranked(gain, scores).exact + ranked(gain, -scores).exact == pytest.approx(1)


@few
@given(answers, st.integers(0, 9))
def test_no_order_is_worth_more_than_the_oracle_s(pairs: list[tuple[bool, bool]], seed: int) -> None:
    gain = delta(pairs)
    scores = np.random.default_rng(seed).random(len(gain))
    best = ranked(gain, gain.tolist())
    assert ranked(gain, scores).exact <= best.exact + 1e-9
    assert ranked(gain, scores).apgr <= best.apgr + 1e-9


@few
@given(answers, st.lists(st.integers(-20, 20), min_size=80, max_size=80))
def test_only_the_order_of_the_scores_counts(pairs: list[tuple[bool, bool]], scores: list[int]) -> None:
    gain = delta(pairs)
    plain = [float(one) for one in scores[: len(gain)]]
    assert ranked(gain, plain) == ranked(gain, [np.exp(one / 10) * 3 - 7 for one in plain])


def test_random_recovers_half_of_the_gap() -> None:
    rng = np.random.default_rng(3)
    gain = (rng.random(3_000) < 0.8).astype(float) - (rng.random(3_000) < 0.65)
    drawn = [ranked(gain, rng.random(len(gain))) for _ in range(40)]
    assert np.mean([one.apgr for one in drawn]) == pytest.approx(0.5, abs=0.02)
    assert np.mean([one.cpt[0] for one in drawn]) == pytest.approx(50, abs=2.5)
    assert np.mean([one.cpt[1] for one in drawn]) == pytest.approx(80, abs=2.5)


def test_ties_are_drawn_and_not_read_off_the_file() -> None:
    """All scores equal and the questions sorted by answer: reading order would look like an oracle."""
    gain = np.array([1.0] * 300 + [0.0] * 300)
    tied = [ranked(gain, [0.5] * 600, seed) for seed in range(20)]
    assert np.mean([one.apgr for one in tied]) == pytest.approx(0.5, abs=0.03)
    assert tied[0] == ranked(gain, [0.5] * 600, 0)
    assert len({one.apgr for one in tied}) > 10


def test_what_could_not_be_scored_stays_with_the_weak_model() -> None:
    assert descending([0.2, float("nan"), 0.9, float("inf"), -4.0], 0).tolist() == [3, 2, 0, 4, 1]


def test_a_perfect_router_of_a_hundred_questions_by_hand() -> None:
    """The strong model gains on 20 of 100 questions and the router knows them: half of the gap after 10 calls."""
    found = figures(np.array([1.0] * 20 + [0.0] * 80))
    assert strong_calls(100).tolist() == [0, 10, 20, 30, 40, 50, 60, 70, 80, 90, 100]
    assert found.cpt == pytest.approx((10, 16, 19))
    assert found.apgr == pytest.approx(0.9)
    assert found.exact == pytest.approx(0.9)


def test_a_strong_model_that_is_not_the_better_one_has_no_figures() -> None:
    with pytest.raises(ValueError, match="no gap to recover"):
        figures(np.zeros(20))


def test_intervals_hold_the_figure_and_shrink_with_more_questions() -> None:
    rng = np.random.default_rng(1)
    widths = []
    for count in (100, 1_600):
        gain = (rng.random(count) < 0.8).astype(float) - (rng.random(count) < 0.5)
        order = descending(gain + rng.normal(0, 2, count), 0)
        low, high = interval(Bootstrap(count, 0, 300).apgr([(order, gain[order])]))
        assert low < figures(gain[order]).apgr < high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2.5


def test_the_same_router_twice_differs_by_nothing_in_every_draw() -> None:
    gain = np.array([1.0, 0.0, 0.0, 1.0, -1.0] * 20)
    order = descending(range(100), 0)
    drawn = Bootstrap(100, 0, 50)
    assert np.array_equal(drawn.apgr([(order, gain[order])]), drawn.apgr([(order, gain[order])]))

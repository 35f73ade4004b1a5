"""Where a request stands among its tenant's recent ones: rank, quality, share, and who may not move them."""

from __future__ import annotations

import math
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.scoring import FAMILIES, Score, Standing
from gateway.core.types import Assessment, Zone
from gateway.traffic import RollingTraffic
from gateway.traffic.rolling import LEAST
from gateway.traffic.tenant import RECENT
from gateway.traffic.window import MOST, Chances, Window
from tests.support.traffic import Asker

TENTHS = [each / 10 for each in range(10)] * 4


# ── Rank ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_rank_is_the_share_of_recent_requests_that_were_easier(asker: Asker) -> None:
    asker.feed(each / 100 for each in range(100))
    assert asker.look(0.695).rank == pytest.approx(0.70)
    assert asker.look(-0.0).rank == pytest.approx(0, abs=0.01)
    assert asker.look(1.0).rank == 1.0


def test_nobody_knows_where_the_first_requests_of_a_family_stand(asker: Asker) -> None:
    for number in range(LEAST):
        assert asker.ask(number / LEAST) == Standing(share=0.0)
    assert asker.ask(0.51).rank == pytest.approx(16 / 30)
    assert asker.look(0.5, family="code") == Standing(share=0.0), "another family is another matter"


def test_what_was_asked_long_ago_is_forgotten(asker: Asker) -> None:
    asker.feed([0.9] * MOST)
    assert asker.look(0.5).rank == 0
    asker.feed([0.1] * (MOST // 2))
    assert asker.look(0.5).rank == pytest.approx(0.5)
    asker.feed([0.1] * (MOST // 2))
    assert asker.look(0.5).rank == 1


@pytest.mark.parametrize("share", [0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("kind", ["spread", "one value", "two values", "growing"])
def test_about_the_wanted_share_is_above_the_line_whatever_the_gains_look_like(
    share: float, kind: str, asker: Asker
) -> None:
    random = Random(5)
    gain = {
        "spread": lambda _: random.betavariate(8, 4),
        "one value": lambda _: 0.55,
        "two values": lambda _: random.choice([0.5, 0.9, 0.9]),
        "growing": lambda number: 0.5 + number / 1e5,
    }[kind]
    ranks = [asker.ask(gain(number)).rank for number in range(2000)]
    above = sum(rank >= 1 - share for rank in ranks[LEAST:]) / (2000 - LEAST)
    if kind == "growing":  # each is harder than all before it: here only a cap helps
        assert above == 1
    else:
        assert above == pytest.approx(share, abs=0.03)


def test_equal_requests_take_turns_evenly_and_not_in_long_runs(asker: Asker) -> None:
    asker.feed([0.6] * 100)
    for _ in range(10):
        gone = sum(asker.ask(0.6).rank >= 0.7 for _ in range(30))
        assert 8 <= gone <= 10


def test_a_harder_request_never_ranks_lower(asker: Asker) -> None:
    asker.feed(TENTHS)
    ranks = [asker.look(gain / 1000).rank for gain in range(1001)]
    assert ranks == sorted(ranks)


@pytest.mark.parametrize("gain", [None, math.nan, math.inf, -math.inf, -0.1, 1.1])
def test_what_could_not_be_scored_stands_nowhere_and_moves_nobody(gain: float | None, asker: Asker) -> None:
    asker.feed(TENTHS)
    before = asker.look(0.55)
    assert asker.ask(gain) == Standing(share=0.0)
    assert asker.look(0.55) == before


@pytest.mark.parametrize(("local", "remote"), [(math.nan, 0.5), (0.5, math.nan), (None, 0.5), (2.0, 0.5), (0.5, -1.0)])
def test_chances_that_are_none_cost_the_quality_at_most(
    local: float | None, remote: float | None, asker: Asker
) -> None:
    asker.feed(TENTHS)
    for _ in range(5):
        standing = asker.traffic.standing(asker.request(), Score(0.55, family="maths", local=local, remote=remote))
    assert standing.rank is not None
    assert standing.quality is None or math.isfinite(standing.quality)
    assert math.isfinite(asker.look(0.55).quality)


# ── Quality ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_quality_is_what_is_left_when_this_one_and_all_easier_ones_are_answered_here(asker: Asker) -> None:
    # Remote is right 9 times in 10; here as often on 60 requests, 5 in 10 on 20 and 1 in 10 on 20.
    asker.feed([0.5] * 60 + [0.7] * 20 + [0.9] * 20)
    assert asker.look(0.55).quality == pytest.approx(1 - 0.1 / (101 * 0.9))
    assert asker.look(0.8).quality == pytest.approx(1 - (20 * 0.4 + 0.6) / (101 * 0.9))
    assert asker.look(0.95).quality == pytest.approx(1 - (20 * 0.4 + 20 * 0.8 + 0.9) / (101 * 0.9))


def test_where_the_local_model_is_the_better_one_answering_here_costs_nothing(asker: Asker) -> None:
    asker.feed([0.4] * 50)
    assert asker.look(0.45).quality > 1


def test_where_nothing_is_right_outside_either_there_is_no_quality_to_keep(asker: Asker) -> None:
    asker.feed([0.5] * 50, remote=0.0)
    assert asker.look(0.5, remote=0.0).quality is None


@pytest.mark.parametrize("target", [0.8, 0.9, 0.95, 0.99])
def test_sending_out_what_would_miss_the_target_keeps_the_target(target: float, asker: Asker) -> None:
    """The point of it: whoever lets out exactly what stands below the target ends up at it or above."""
    random = Random(7)
    right = best = 0.0
    for number in range(4000):
        gain = random.betavariate(6, 4)
        remote = min(1.0, 0.6 + gain / 3)
        standing = asker.ask(gain, remote=remote)
        if number < 500:
            continue
        out = standing.quality < target
        right += remote if out else remote - (2 * gain - 1)
        best += remote
    # And no more goes out than that takes.
    assert target - 0.01 < right / best < target + 0.02


# ── Share ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_share_is_of_the_tenants_requests_of_every_family_that_went_to_the_remote(asker: Asker) -> None:
    assert asker.look(0.5).share == 0
    for zone, family in ((Zone.REMOTE, "code"), (Zone.LOCAL, "chat"), (Zone.PRIVATE, "chat"), (Zone.REMOTE, "maths")):
        asker.answered(zone, family=family)
    assert asker.look(0.5, family="writing").share == 0.5
    assert sorted(tuple(each) for each in asker.traffic.shares()) == [
        ("a", "chat", 2, 0), ("a", "code", 1, 1), ("a", "maths", 1, 1),
    ]  # fmt: skip


def test_the_share_is_of_recent_requests(asker: Asker) -> None:
    for _ in range(RECENT):
        asker.answered(Zone.REMOTE)
    for _ in range(RECENT // 4):
        asker.answered(Zone.LOCAL)
    assert asker.look(0.5).share == 0.75


def test_what_is_decided_counts_at_once_and_what_came_of_it_in_the_end(asker: Asker) -> None:
    request = asker.answered(Zone.REMOTE)
    assert asker.look(0.5).share == 1
    asker.traffic.went(request, Assessment(), Zone.LOCAL)
    assert asker.look(0.5).share == 0
    asker.traffic.went(request, Assessment(), Zone.LOCAL)
    assert asker.look(0.5).share == 0


def test_what_could_not_be_scored_counts_for_the_share_all_the_same(asker: Asker) -> None:
    asker.answered(Zone.REMOTE, gain=None)
    assert asker.look(0.5).share == 1


# ── Counting once ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_request_counts_once_however_often_it_is_scored(asker: Asker) -> None:
    asker.feed(TENTHS)
    request = asker.request()
    for _ in range(50):
        asker.traffic.standing(request, Score(0.99, family="maths"))
    assert asker.look(0.95).rank == pytest.approx(40 / 41)


def test_looking_changes_nothing(asker: Asker) -> None:
    asker.feed(TENTHS)
    first = asker.look(0.3)
    assert all(asker.look(0.3) == first for _ in range(100))
    assert asker.look(0.3, tenant="never seen") == Standing(share=0.0)
    assert {each.tenant for each in asker.traffic.shares()} == {"a"}


def test_looking_says_what_asking_says(asker: Asker) -> None:
    asker.feed(TENTHS)
    for gain in (0.3, 0.55, 0.55, 0.95):
        assert asker.look(gain) == asker.ask(gain)


def test_word_of_a_request_that_was_never_counted_changes_nothing(asker: Asker) -> None:
    asker.traffic.went(asker.request(), Assessment(), Zone.REMOTE)
    asker.answered(Zone.LOCAL)
    asker.traffic.went(asker.request(), Assessment(), Zone.REMOTE)
    assert asker.look(0.5).share == 0


# ── Who may not move whose ──────────────────────────────────────────────────────────────────────────────────────────


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(st.sampled_from("bcd"), st.sampled_from(FAMILIES), st.none() | st.floats(), st.booleans()),
        max_size=200,
    )
)
def test_no_client_moves_another_tenants_standing(others: list[tuple[str, str, float | None, bool]]) -> None:
    asker = Asker()
    asker.feed(TENTHS)
    asker.answered(Zone.REMOTE)
    before = [asker.look(gain) for gain in TENTHS]
    for tenant, family, gain, out in others:
        asker.answered(Zone.REMOTE if out else Zone.LOCAL, tenant=tenant, family=family, gain=gain)
    assert [asker.look(gain) for gain in TENTHS] == before


def test_a_family_that_no_scorer_should_say_is_no_memory_of_its_own(asker: Asker) -> None:
    for number in range(100):
        asker.ask(0.5, family=f"invented-{number}")
    assert {each.family for each in asker.traffic.shares()} == {"other"}


def test_of_too_many_tenants_the_one_that_asked_longest_ago_is_forgotten() -> None:
    asker = Asker(RollingTraffic(most_tenants=2))
    for tenant in ("a", "b", "a", "c"):
        asker.feed([0.5] * 40, tenant=tenant)
    assert asker.look(0.6, tenant="a").rank == 1
    assert asker.look(0.6, tenant="b") == Standing(share=0.0)
    assert asker.look(0.6, tenant="c").rank == 1


# ── Warm start ──────────────────────────────────────────────────────────────────────────────────────────────────────


MET = [0.4 + each / 100 for each in range(21)]
"""What calibration met: gains from 0.40 to 0.60."""


def test_calibration_speaks_until_the_tenant_has_asked_enough() -> None:
    asker = Asker(RollingTraffic({"maths": MET}))
    assert asker.look(0.54).rank == pytest.approx(0.7)
    assert asker.look(0.545).rank == pytest.approx(0.725)
    assert (asker.look(0.3).rank, asker.look(0.7).rank) == (0, 1)
    assert asker.look(0.54, family="code").rank is None
    asker.feed([0.7] * (LEAST // 2))
    assert asker.look(0.54).rank == pytest.approx(0.35)
    asker.feed([0.7] * (LEAST // 2))
    assert asker.look(0.54).rank == 0


def test_of_a_family_that_calibration_did_not_meet_it_says_what_holds_for_all() -> None:
    asker = Asker(RollingTraffic({"maths": MET, "*": [0.6, 0.7], "code": [0.5]}))
    assert (asker.look(0.65).rank, asker.look(0.65, family="chat").rank) == (1, pytest.approx(0.5))
    assert asker.look(0.65, family="code").rank == pytest.approx(0.5)


def test_calibration_says_what_quality_to_expect() -> None:
    asker = Asker(RollingTraffic({"maths": [0.5] * 5 + [0.9] * 5}))
    assert asker.look(0.6).quality == pytest.approx(1)
    assert asker.look(0.95).quality == pytest.approx(1 - 0.4 / 0.9)


@pytest.mark.parametrize(
    "gains", [[], [0.5], [math.nan] * 9, [-1.0, 2.0, 0.5]], ids=["none", "one", "no numbers", "none on the scale"]
)
def test_gains_that_say_nothing_are_no_warm_start(gains: list[float]) -> None:
    assert Asker(RollingTraffic({"maths": gains, "no-family": MET})).look(0.5).rank is None


# ── The window ──────────────────────────────────────────────────────────────────────────────────────────────────────

NUMBERS = st.sampled_from([0.0, 0.25, 0.5, 0.5, 1.0])


@settings(max_examples=30)
@given(st.lists(st.builds(Chances, NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=60), NUMBERS, st.randoms())
def test_a_window_says_what_counting_its_last_scores_says(scores: list[Chances], gain: float, random: Any) -> None:
    window = Window()
    every = [random.choice(scores) for _ in range(MOST + len(scores))]
    for each in every:
        window.add(each)
    last = every[-MOST:]
    assert len(window) == MOST
    assert window.remote == pytest.approx(sum(each.remote for each in last))
    below = [each for each in last if each.gain < gain]
    equal = [each for each in last if each.gain == gain]
    place = window.place(gain)
    assert len(below) <= place.rank * MOST <= len(below) + len(equal)
    least = sum(each.loss for each in below)
    assert least <= place.loss <= least + sum(each.loss for each in equal)

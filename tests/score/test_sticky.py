"""A conversation stays on its side inside the band, and on no other grounds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.types import Assessment, Principal, Request, Score, Standing, Zone
from gateway.score.sticky import BAND, UNFIT, Sides, StayingScorer, StayingTraffic

pytestmark = pytest.mark.anyio
ASKED = {"role": "user", "content": "Compare these two laws"}
SAID = {"role": "assistant", "content": "They differ in three ways …"}


def turn(*messages: Any, tenant: str = "t", subject: str = "s", conversation: str | None = None) -> Request:
    return Request(
        id="r",
        principal=Principal(tenant=tenant, subject=subject),
        model="auto",
        body={"messages": list(messages)},
        conversation=conversation,
    )


FIRST = turn(ASKED)
SECOND = turn(ASKED, SAID, {"role": "user", "content": "and the third one?"})


@dataclass
class Fixed:
    """A scorer that always says the same."""

    gain: float | None

    async def score(self, request: Request) -> Score:
        return Score(gain=self.gain, confidence=0.7, scorer="fixed")


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Seen:
    """A traffic that remembers what it was told."""

    went_to: list[Zone] = field(default_factory=list)

    def standing(self, request: Request, score: Score) -> Standing:
        return Standing(rank=0.25)

    def look(self, request: Request, score: Score) -> Standing:
        return Standing(rank=0.75)

    def went(self, request: Request, assessment: Assessment, zone: Zone, *, answered: bool = False) -> None:
        self.went_to.append(zone)


@pytest.mark.parametrize(
    ("zone", "gain", "want"),
    [
        (Zone.REMOTE, 0.52, 0.57),
        (Zone.PRIVATE, 0.52, 0.57),
        (Zone.LOCAL, 0.58, 0.53),
        (Zone.REMOTE, 0.3, 0.35),
        (Zone.LOCAL, 0.02, 0.0),
        (Zone.REMOTE, 0.89, UNFIT),
        (Zone.LOCAL, 0.95, 0.95),
        (Zone.REMOTE, 0.95, 0.95),
        (Zone.REMOTE, None, None),
    ],
)
async def test_a_later_turn_leans_towards_the_side_that_answered(
    zone: Zone, gain: float | None, want: float | None
) -> None:
    sides = Sides()
    sides.note(FIRST, zone)
    score = await StayingScorer(Fixed(gain), sides).score(SECOND)
    assert score.gain == (None if want is None else pytest.approx(want))
    assert score.confidence == 0.7
    assert ("stays:" in score.scorer) == (want != gain)


async def test_a_first_turn_leans_nowhere() -> None:
    sides = Sides()
    sides.note(FIRST, Zone.REMOTE)
    assert await StayingScorer(Fixed(0.52), sides).score(FIRST) == await Fixed(0.52).score(FIRST)


@pytest.mark.parametrize(
    "other",
    [
        turn(ASKED, SAID, ASKED, tenant="u"),
        turn(ASKED, SAID, ASKED, subject="v"),
        turn(ASKED, SAID, ASKED, conversation="c"),
        turn({"role": "user", "content": "Something else"}, SAID, ASKED),
    ],
    ids=["tenant", "key", "conversation", "beginning"],
)
def test_another_conversation_has_no_side(other: Request) -> None:
    sides = Sides()
    sides.note(FIRST, Zone.REMOTE)
    assert sides.went_out(SECOND) is True
    assert sides.went_out(other) is None


def test_reminders_that_a_harness_renews_do_not_make_it_another_conversation() -> None:
    sides = Sides()
    sides.note(turn({"role": "user", "content": "<system-reminder>It is 9:00</system-reminder>Fix it"}), Zone.REMOTE)
    again = {"role": "user", "content": "<system-reminder>It is 9:05</system-reminder>Fix it"}
    assert sides.went_out(turn(again, SAID, ASKED)) is True


def test_a_side_is_forgotten_after_its_time_and_when_there_are_too_many() -> None:
    clock = Clock()
    sides = Sides(most=3, keep_s=10, clock=clock)
    sides.note(FIRST, Zone.REMOTE)
    clock.now = 9.0
    assert sides.went_out(SECOND) is True
    clock.now = 10.0
    assert sides.went_out(SECOND) is None
    for number in range(50):
        sides.note(turn(ASKED, conversation=str(number)), Zone.LOCAL)
        assert len(sides) <= 3


def test_the_last_side_counts() -> None:
    sides = Sides()
    sides.note(FIRST, Zone.REMOTE)
    sides.note(SECOND, Zone.LOCAL)
    assert sides.went_out(SECOND) is False


def test_what_was_said_is_not_kept() -> None:
    sides = Sides(b"k" * 32)
    sides.note(FIRST, Zone.REMOTE)
    assert "laws" not in repr(vars(sides))


def test_where_it_went_is_told_on() -> None:
    sides, seen = Sides(), Seen()
    traffic = StayingTraffic(sides, seen)
    traffic.went(FIRST, Assessment(), Zone.REMOTE, answered=True)
    assert sides.went_out(SECOND) is True
    traffic.went(SECOND, Assessment(), Zone.LOCAL)
    assert sides.went_out(SECOND) is True, "decided for, and not answered"
    assert seen.went_to == [Zone.REMOTE, Zone.LOCAL]
    assert traffic.standing(FIRST, Score(0.5)) == Standing(rank=0.25)
    assert traffic.look(FIRST, Score(0.5)) == Standing(rank=0.75)
    alone = StayingTraffic(sides)
    assert alone.standing(FIRST, Score(0.5)) == alone.look(FIRST, Score(0.5)) == Standing()


async def test_messages_that_are_none_have_no_side_and_break_nothing() -> None:
    sides = Sides()
    broken = turn()
    object.__setattr__(broken, "body", {})
    StayingTraffic(sides).went(broken, Assessment(), Zone.REMOTE, answered=True)
    assert (await StayingScorer(Fixed(0.5), sides).score(broken)).gain == 0.5


@given(
    gain=st.none() | st.floats(0, 1),
    turns=st.lists(st.tuples(st.sampled_from(Zone), st.integers(0, 3)), max_size=8),
    messages=st.lists(st.fixed_dictionaries({"role": st.sampled_from(["user", "assistant"]), "content": st.text()})),
)
@settings(max_examples=100)
def test_a_gain_moves_by_the_band_at_most_and_never_out_of_nothing(
    gain: float | None, turns: list[tuple[Zone, int]], messages: list[Any]
) -> None:
    sides = Sides()
    for zone, number in turns:
        sides.note(turn(*messages, conversation=str(number)), zone)
    moved = asyncio.run(StayingScorer(Fixed(gain), sides).score(turn(*messages, conversation="0"))).gain
    if gain is None:
        assert moved is None
    else:
        assert moved is not None
        assert abs(moved - gain) <= BAND + 1e-4
        assert 0 <= moved <= 1

"""Turns with the one model: in order, fair between tenants, and nobody fills the queue alone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.errors import QueueFull
from gateway.engine.turns import Turn, Turns


def order(turns: Turns, entered: list[Turn]) -> list[str]:
    """Who holds the turn, one after the other, until nobody waits."""
    held = []
    while turns.taken:
        [holder] = [turn for turn in entered if turn.granted and not turn.ended]
        held.append(holder.tenant)
        holder.end()
    return held


@pytest.mark.parametrize(
    ("tenants", "expected"),
    [("aaa", "aaa"), ("aaaab", "abaaa"), ("aabbcc", "abcabc"), ("aaabc", "abcaa")],
    ids=["one tenant", "a late one", "three", "one with more"],
)
def test_tenants_take_turns_each_in_its_own_order(tenants: str, expected: str) -> None:
    turns = Turns(32, share=32)
    entered = [turns.enter(tenant) for tenant in tenants]
    assert turns.taken == len(tenants)
    assert "".join(order(turns, entered)) == expected


def test_who_holds_least_goes_first() -> None:
    turns = Turns(32, share=32, places=4)
    running = [turns.enter(tenant) for tenant in "aaab"]
    waiting = [turns.enter(tenant) for tenant in "abb"]
    running[0].end()
    assert [turn.granted for turn in waiting] == [False, True, False], "a holds two, b only one"
    running[1].end()
    assert [turn.granted for turn in waiting] == [True, True, False], "a holds one now, b two"


def test_one_tenant_fills_its_share_and_another_still_gets_in() -> None:
    turns = Turns(4, share=2)
    for _ in range(3):  # one holds the turn, two wait
        turns.enter("a")
    with pytest.raises(QueueFull, match="of this tenant") as full:
        turns.enter("a")
    assert full.value.retry_after_s
    turns.enter("b")
    turns.enter("c")
    with pytest.raises(QueueFull, match="4 requests"):
        turns.enter("d")


def test_a_request_for_many_places_waits_until_they_are_free_and_nobody_passes_it() -> None:
    turns = Turns(8, share=8, places=4)
    one, two = turns.enter("a"), turns.enter("a", 2)
    many, later = turns.enter("b", 16), turns.enter("c")
    assert (one.granted, two.granted, many.granted, later.granted) == (True, True, False, False)
    one.end()
    assert not many.granted
    assert not later.granted
    two.end()
    assert many.granted
    assert not later.granted
    many.end()
    assert later.granted


def test_when_the_model_turns_out_to_serve_more_at_once_those_who_wait_go_on() -> None:
    turns = Turns(8, share=8)
    first, second, third = (turns.enter("a") for _ in range(3))
    turns.resize(2)
    assert (first.granted, second.granted, third.granted) == (True, True, False)
    turns.resize(1)
    first.end()
    assert not third.granted
    second.end()
    assert third.granted


def test_who_leaves_while_waiting_is_passed_over_and_ending_twice_does_no_harm() -> None:
    turns = Turns(4, share=4)
    first, second, third = (turns.enter("a") for _ in range(3))
    second.end()
    second.end()
    assert turns.taken == 2
    first.end()
    assert third.granted
    first.end()
    assert turns.taken == 1
    third.end()
    assert turns.taken == 0


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(1, 6)), max_size=30), st.integers(1, 4), st.data())
def test_places_are_never_given_twice_and_everybody_is_served(
    wishes: list[tuple[str, int]], places: int, data: st.DataObject
) -> None:
    turns = Turns(64, share=64, places=places)
    entered = [turns.enter(tenant, count) for tenant, count in wishes]
    while open_turns := [turn for turn in entered if not turn.ended]:
        running = [turn for turn in open_turns if turn.granted]
        assert 0 < sum(turn.places for turn in running) <= places
        data.draw(st.sampled_from(running)).end()
    assert turns.taken == 0

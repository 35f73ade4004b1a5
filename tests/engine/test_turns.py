"""Turns with the one model: in order, by tenants in rotation, and nobody fills the queue alone."""

from __future__ import annotations

import pytest

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

"""Which sequence a prompt goes to, and what it may take over: tables over the plan alone, no model."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine.batch.slots import MIN_COPY, Plan, Slots, Wish, common_prefix

SYSTEM = list(range(1000, 1100))
"""A hundred tokens of the operator's own system prompt."""


def asked(count: int, first: int = 1) -> list[int]:
    return list(range(first, first + count))


def serve(slots: Slots, wish: Wish, *, release: bool = True) -> Plan:
    """Carry a plan out as the scheduler does: take, read the whole prompt, answer with two tokens."""
    plan = slots.plan(wish)
    assert plan is not None
    slots.take(plan, wish, plan.shared)
    plan.slot.extend([*wish.prompt[plan.shared :], 7, 8])
    if release:
        slots.release(plan.slot)
    return plan


def test_the_next_turn_of_a_conversation_goes_on_where_it_lies() -> None:
    slots = Slots(4)
    first = serve(slots, Wish(asked(200), "a"))
    serve(slots, Wish(asked(50, 5000), "a"))
    second = serve(slots, Wish([*asked(200), 7, 8, *asked(20, 300)], "a"))
    assert (second.slot.number, second.shared, second.source) == (first.slot.number, 202, None)


def test_a_shared_system_prompt_is_copied_while_its_slot_is_busy() -> None:
    slots = Slots(4)
    serve(slots, Wish([*SYSTEM, *asked(30)], "a"), release=False)
    second = serve(slots, Wish([*SYSTEM, *asked(30, 500)], "a"))
    assert second.slot.number == 1
    assert second.shared == len(SYSTEM)
    assert second.source is not None
    assert second.source.number == 0


def test_a_short_beginning_is_computed_rather_than_copied() -> None:
    slots = Slots(2)
    serve(slots, Wish([*SYSTEM[: MIN_COPY - 1], *asked(30)], "a"), release=False)
    plan = serve(slots, Wish([*SYSTEM[: MIN_COPY - 1], *asked(30, 500)], "a"))
    assert (plan.shared, plan.source) == (0, None)


@pytest.mark.parametrize(
    ("tenant", "public", "adapter", "reuse", "shared"),
    [
        pytest.param("a", 0, None, True, 129, id="the same tenant: all but the last token"),
        pytest.param("b", 0, None, True, 0, id="another tenant: nothing"),
        pytest.param("b", 100, None, True, 100, id="another tenant: the operator's own text"),
        pytest.param("a", 100, "legal", True, 0, id="another adapter: nothing"),
        pytest.param("a", 100, None, False, 0, id="not wished"),
    ],
)
def test_who_may_take_over_what(tenant: str, public: int, adapter: str | None, reuse: bool, shared: int) -> None:
    slots = Slots(2)
    prompt = [*SYSTEM, *asked(30)]
    serve(slots, Wish(prompt, "a", public=100))
    plan = slots.plan(Wish(prompt, tenant, adapter, public, reuse))
    assert plan is not None
    assert plan.shared == shared


def test_new_work_stands_beside_running_work() -> None:
    slots = Slots(4)
    serve(slots, Wish([*SYSTEM, *asked(300)], "a"))  # lies in 0
    for first in (2000, 3000):
        serve(slots, Wish(asked(10, first), "a"))  # 1 and 2 are used later than 0
    running = serve(slots, Wish(asked(10, 4000), "a"), release=False)
    assert running.slot.number == 3
    beside = slots.plan(Wish(asked(10, 6000), "a"))
    assert beside is not None
    assert beside.slot.number == 2, "0 was used longest ago, but its rows would be computed apart"


def test_without_running_work_the_least_recently_used_goes() -> None:
    slots = Slots(3)
    for first in (1, 1000, 2000):
        serve(slots, Wish(asked(50, first), "a"))
    serve(slots, Wish([*asked(50), 7, 8, 9], "a"))  # 0 again
    plan = slots.plan(Wish(asked(50, 9000), "a"))
    assert plan is not None
    assert plan.slot.number == 1


def test_after_a_shift_only_the_sinks_are_worth_keeping() -> None:
    slots = Slots(1)
    serve(slots, Wish(asked(200), "a"), release=False)
    [slot] = slots
    slot.drop(4, 100)
    slot.extend([1, 2, 3])
    slots.release(slot)
    plan = slots.plan(Wish(asked(200), "a"))
    assert plan is not None
    assert plan.shared == 4


def test_nothing_is_planned_while_all_are_busy_and_nothing_known_after_forgetting() -> None:
    slots = Slots(1)
    serve(slots, Wish(asked(100), "a"), release=False)
    assert slots.plan(Wish(asked(100), "a")) is None
    [slot] = slots
    slots.release(slot)
    slots.forget()
    plan = slots.plan(Wish(asked(100), "a"))
    assert plan is not None
    assert plan.shared == 0


@given(st.lists(st.integers(0, 3), max_size=40), st.lists(st.integers(0, 3), max_size=40))
def test_the_common_prefix_is_what_a_loop_would_find(one: list[int], other: list[int]) -> None:
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    assert common_prefix(one, other) == count


WISHES = st.builds(
    Wish,
    prompt=st.lists(st.integers(0, 1), min_size=2, max_size=80),
    tenant=st.sampled_from("ab"),
    adapter=st.sampled_from([None, "x"]),
)


@given(st.lists(WISHES, min_size=1, max_size=20), st.data())
def test_what_is_taken_over_is_the_same_tenants_and_the_same_tokens(wishes: list[Wish], data: st.DataObject) -> None:
    slots = Slots(3)
    for wish in wishes:
        before = {slot.number: (list(slot.held), slot.tenant, slot.adapter) for slot in slots}
        plan = slots.plan(wish)
        if plan is None:
            for slot in slots:
                slots.release(slot)
            continue
        held, tenant, adapter = before[(plan.source or plan.slot).number]
        if plan.shared:
            assert held[: plan.shared] == list(wish.prompt[: plan.shared])
            assert (tenant, adapter) == (wish.tenant, wish.adapter)
        assert plan.shared < len(wish.prompt)
        serve(slots, wish, release=data.draw(st.booleans()))

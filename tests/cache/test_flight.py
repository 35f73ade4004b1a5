"""Who asks the backend when many ask the same."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cache.flight import SingleFlight
from tests.support.still import StillLoop, still

pytestmark = pytest.mark.anyio


class Line:
    """A small pipeline around the flight: counts what it asks of the backend, fails or hangs when told to."""

    def __init__(self, flight: SingleFlight, *, storable: bool = True) -> None:
        self.flight = flight
        self.storable = storable
        self.stored: set[str] = set()
        self.asked = 0
        self.asking = 0
        self.most_at_once = 0
        self.answered = 0

    async def request(self, key: str, backend: Callable[[], Awaitable[None]]) -> None:
        async with self.flight.turn(key) as turn:
            if not (turn.waited and key in self.stored):
                self.asked += 1
                self.asking += 1
                self.most_at_once = max(self.most_at_once, self.asking)
                try:
                    await backend()
                finally:
                    self.asking -= 1
                if self.storable:
                    self.stored.add(key)
            turn.done()
            self.answered += 1


async def quick() -> None:
    await anyio.sleep(0.01)


async def broken() -> None:
    await anyio.sleep(0.01)
    raise ConnectionError


async def test_fifty_identical_requests_ask_once() -> None:
    line = Line(SingleFlight())
    async with anyio.create_task_group() as tasks:
        for _ in range(50):
            tasks.start_soon(line.request, "k", quick)
    assert (line.asked, line.answered) == (1, 50)
    assert len(line.flight) == 0


async def test_different_requests_do_not_wait_for_each_other() -> None:
    line = Line(SingleFlight())
    async with anyio.create_task_group() as tasks:
        for number in range(5):
            tasks.start_soon(line.request, f"k{number}", quick)
    assert line.most_at_once == 5


async def test_when_the_leader_fails_one_takes_over_and_the_rest_wait_on() -> None:
    line = Line(SingleFlight())

    async def fails() -> None:
        with pytest.raises(ConnectionError):
            await line.request("k", broken)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fails)
        tasks.start_soon(fails)
        for _ in range(20):
            tasks.start_soon(line.request, "k", quick)
    assert (line.asked, line.most_at_once, line.answered) == (3, 1, 20)


async def test_when_the_leader_is_cancelled_one_takes_over() -> None:
    line = Line(SingleFlight())
    async with anyio.create_task_group() as tasks:
        leader = anyio.CancelScope()

        async def leaves() -> None:
            with leader:
                await line.request("k", anyio.sleep_forever)

        tasks.start_soon(leaves)
        await anyio.wait_all_tasks_blocked()
        for _ in range(5):
            tasks.start_soon(line.request, "k", quick)
        await anyio.wait_all_tasks_blocked()
        leader.cancel()
    assert (line.asked, line.answered) == (2, 5)
    assert len(line.flight) == 0


async def test_an_heir_who_is_cancelled_in_the_same_moment_passes_the_lead_on() -> None:
    line = Line(SingleFlight())
    async with anyio.create_task_group() as tasks:
        leader, heir = anyio.CancelScope(), anyio.CancelScope()

        async def within(scope: anyio.CancelScope) -> None:
            with scope:
                await line.request("k", anyio.sleep_forever)

        tasks.start_soon(within, leader)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(within, heir)
        await anyio.wait_all_tasks_blocked()
        tasks.start_soon(line.request, "k", quick)
        await anyio.wait_all_tasks_blocked()
        leader.cancel()
        heir.cancel()
    assert line.answered == 1
    assert len(line.flight) == 0


async def test_an_answer_that_cannot_be_stored_does_not_make_the_others_queue_up() -> None:
    line = Line(SingleFlight(), storable=False)
    async with anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(line.request, "k", quick)
    assert (line.asked, line.answered) == (10, 10)
    assert line.most_at_once == 9  # the first alone, then all who waited


@still
async def test_nobody_waits_longer_than_the_deadline() -> None:
    line = Line(SingleFlight(wait_s=0.02))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(line.request, "k", anyio.sleep_forever)
        await anyio.wait_all_tasks_blocked()
        with anyio.fail_after(1):
            await line.request("k", quick)
        tasks.cancel_scope.cancel()
    assert line.answered == 1
    assert len(line.flight) == 0


@pytest.mark.parametrize("bound", ["max_keys", "max_waiting"])
async def test_past_the_bounds_requests_go_alone(bound: str) -> None:
    flight = SingleFlight(**{bound: 1 if bound == "max_keys" else 0})
    async with flight.turn("k") as first, flight.turn("k2" if bound == "max_keys" else "k") as second:
        assert first.leads
        assert (second.leads, second.waited) == (False, False)
        second.done()
        assert first.leads
    assert len(flight) == 0


@given(st.lists(st.sampled_from(["quick", "fails", "leaves", "unstored"]), min_size=1, max_size=12))
@settings(max_examples=40)
def test_whatever_happens_to_each_everybody_gets_through(fates: list[str]) -> None:
    async def play() -> None:
        flight = SingleFlight()
        through = 0

        async def one(fate: str, number: int) -> None:
            nonlocal through
            with anyio.move_on_after(0.001 * number if fate == "leaves" else 5):
                async with flight.turn("k") as turn:
                    await anyio.sleep(0.0005)
                    if fate != "fails":
                        turn.done()
            through += 1

        with anyio.fail_after(5):
            async with anyio.create_task_group() as tasks:
                for number, fate in enumerate(fates):
                    tasks.start_soon(one, fate, number)
        assert through == len(fates)
        assert len(flight) == 0

    anyio.run(play, backend_options={"loop_factory": StillLoop})

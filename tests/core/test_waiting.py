"""Waiting for a server of one's own: who turns a request away is asked again, who may have read it is not."""

from __future__ import annotations

from collections.abc import Sequence

import anyio
import pytest

from gateway.core.errors import (
    AuditUnavailable,
    BackendBroke,
    BackendError,
    BackendRejected,
    BackendTimeout,
    BackendUnreachable,
    EgressDenied,
    GatewayError,
    PrivateUnavailable,
    QueueFull,
)
from gateway.core.trace import Trace
from gateway.core.waiting import Seats, patiently
from tests.support.line import asking

pytestmark = pytest.mark.anyio

DOWN = BackendUnreachable("no connection")
BUSY = BackendError("busy", status=429, code="upstream_busy", retry_after_s=7.0)
STARTING = BackendBroke("starting", status=503)
LATE = BackendTimeout("late")


class Servers:
    """Plays one list of failures per round, the last one for ever; time passes by sleeping alone."""

    def __init__(self, *rounds: Sequence[GatewayError]) -> None:
        self.trace = Trace(asking())
        self.now = 0.0
        self.naps: list[float] = []
        self.rounds = 0
        self._rounds = rounds

    async def begin(self) -> str:
        failures = self._rounds[min(self.rounds, len(self._rounds) - 1)]
        self.rounds += 1
        for number, error in enumerate(failures):
            self.trace.failed(f"house-{number}", error)
        if failures:
            raise failures[0]
        return "an answer"

    async def sleep(self, pause_s: float) -> None:
        self.naps.append(pause_s)
        self.now += pause_s

    async def ask(self, wait_s: float) -> str:
        return await patiently(wait_s, self.trace, self.begin, self.sleep, lambda: self.now)


async def test_a_server_that_comes_back_in_time_answers() -> None:
    servers = Servers([DOWN], [STARTING], [])
    assert await servers.ask(30) == "an answer"
    assert servers.naps == [0.25, 0.5]
    assert servers.trace.tried == [("house-0", "upstream_unreachable"), ("house-0", "upstream_broke")]


async def test_nobody_waits_longer_than_the_floor_says_and_the_client_hears_when_to_come_back() -> None:
    servers = Servers([DOWN])
    with pytest.raises(PrivateUnavailable, match="for 30 s none was free") as caught:
        await servers.ask(30)
    assert sum(servers.naps) == 30
    assert max(servers.naps) == 5
    assert caught.value.retry_after_s == 5
    assert caught.value.__cause__ is DOWN


async def test_a_server_that_names_its_time_gets_it_and_the_soonest_of_several_counts() -> None:
    later = BackendError("busy", status=429, code="upstream_busy", retry_after_s=20.0)
    servers = Servers([later, BUSY], [])
    assert await servers.ask(30) == "an answer"
    assert servers.naps == [7.0]


@pytest.mark.parametrize(
    "failures",
    [
        pytest.param([LATE], id="it may have been read"),
        pytest.param([BackendBroke("broke", status=500)], id="it broke over it"),
        pytest.param([BackendRejected("no", status=400)], id="it was rejected"),
        pytest.param([BackendError("no money", status=429, code="upstream_quota")], id="no waiting helps"),
        pytest.param([DOWN, LATE], id="one of two may have read it"),
        pytest.param([EgressDenied("kept")], id="the door kept it"),
    ],
)
async def test_what_waiting_does_not_mend_is_told_at_once(failures: list[GatewayError]) -> None:
    servers = Servers(failures)
    with pytest.raises(type(failures[0])):
        await servers.ask(30)
    assert servers.naps == []


async def test_a_server_that_cannot_take_it_at_all_does_not_keep_it_from_waiting_for_another() -> None:
    servers = Servers([EgressDenied("kept"), DOWN], [])
    assert await servers.ask(30) == "an answer"


async def test_without_a_record_there_is_nothing_to_wait_for() -> None:
    servers = Servers([AuditUnavailable("the disk is full"), DOWN])
    with pytest.raises(AuditUnavailable):
        await servers.ask(30)


async def test_without_time_to_wait_the_first_failure_is_the_answer() -> None:
    servers = Servers([DOWN])
    with pytest.raises(BackendUnreachable):
        await servers.ask(0)
    assert servers.rounds == 1


async def test_who_waits_leaves_room_for_others() -> None:
    seats = Seats(anyio.sleep, most=3, most_of_one=2)
    async with anyio.create_task_group() as tasks:
        for tenant in ("one", "one"):
            tasks.start_soon(seats.sleep, tenant, 60)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(QueueFull):
            await seats.sleep("one", 0)
        tasks.start_soon(seats.sleep, "another", 60)
        await anyio.wait_all_tasks_blocked()
        with pytest.raises(QueueFull):
            await seats.sleep("third", 0)
        tasks.cancel_scope.cancel()
    for tenant in ("one", "one", "third"):
        await seats.sleep(tenant, 0)

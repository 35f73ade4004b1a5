"""Memory has a bound, and who fills it pays for it."""

from __future__ import annotations

import pytest

from gateway.core.types import Principal
from gateway.taint import TaintMemory, open_taints
from gateway.taint.entry import Entry, Owner
from gateway.taint.marks import Marks
from gateway.taint.origin import Fact, Origin
from gateway.taint.store import LocalStore
from tests.support.tainting import ANSWER, Clock, answer, chat, kinds

pytestmark = pytest.mark.anyio

SECRET = b"a secret of thirty-two bytes ...."
ORIGIN = Origin((Fact("iban", "financial", 1.0),))


def owner(subject: str) -> Owner:
    return Owner.of(SECRET, "t", subject)


def entry(number: int, expires_at: float = 10.0) -> Entry:
    return Entry(number.to_bytes(16, "big"), ORIGIN, expires_at)


async def test_the_oldest_goes_first_and_is_counted() -> None:
    store = LocalStore(max_mb=1, max_owner_mb=0.05, clock=Clock(0))
    for number in range(200):
        await store.add(owner("a"), [entry(number)])
    space = store.space(owner("a"))
    assert space is not None
    assert store.status()["dropped"] == 200 - len(space) > 0
    assert space.get(entry(199).id) is not None
    assert space.get(entry(0).id) is None
    assert space.size_bytes <= 0.05 * 1024 * 1024


async def test_a_busy_owner_makes_room_and_a_quiet_one_keeps_what_it_has() -> None:
    store = LocalStore(max_mb=0.1, clock=Clock(0))
    await store.add(owner("quiet"), [entry(0)])
    for number in range(2000):
        await store.add(owner("busy"), [entry(number)])
        assert store.status()["bytes"] <= 0.1 * 1024 * 1024
    assert store.space(owner("quiet")) is not None
    assert store.status()["dropped"] > 1000


async def test_many_owners_stay_within_the_bound_too() -> None:
    store = LocalStore(max_mb=0.1, clock=Clock(0))
    for number in range(2000):
        await store.add(owner(str(number)), [entry(number)])
    assert store.status()["bytes"] <= 0.1 * 1024 * 1024
    assert store.space(owner("1999")) is not None


async def test_owners_whom_nobody_asks_about_are_forgotten_in_time() -> None:
    clock = Clock(0)
    store = LocalStore(clock=clock)
    for number in range(50):
        await store.add(owner(str(number)), [entry(number)])
    clock.now = 11
    for number in range(50):
        await store.add(owner("new"), [entry(number, 20.0)])
    assert store.status()["owners"] == 1
    assert store.status()["dropped"] == 0


async def test_the_figures_add_up_after_everything_is_gone() -> None:
    clock = Clock(0)
    store, marks = LocalStore(clock=clock), Marks(SECRET)
    who = marks.owner(Principal())
    await store.add(who, list(marks.text(who, ANSWER, ORIGIN, 5.0)))
    await store.add(who, [entry(1)])
    assert store.status()["bytes"] > 700
    clock.now = 6
    space = store.space(who)
    assert space is not None
    assert (len(space), store.status()["bytes"]) == (1, space.size_bytes)
    clock.now = 11
    assert store.space(who) is None
    assert (store.status()["bytes"], store.status()["entries"], store.status()["owners"]) == (0, 0, 0)


async def test_the_same_answer_a_thousand_times_is_one_entry() -> None:
    taints = open_taints(None, secret=SECRET)
    for _ in range(1000):
        await answer(taints, chat("q"))
    assert taints.status()["entries"] == 1


class BrokenStore(LocalStore):
    """Fails where a store promises not to."""

    async def known(self, owner: Owner) -> None:  # type: ignore[override]
        raise RuntimeError("broken")

    async def add(self, owner: Owner, entries: object) -> None:
        raise RuntimeError("broken")


async def test_a_store_that_breaks_its_promise_makes_the_request_unreadable() -> None:
    taints = TaintMemory(BrokenStore(), secret=SECRET)
    await answer(taints, chat("q"))
    scan = await taints.recall(chat("q"))
    assert [(part.path, part.reason) for part in scan.unreadable] == [("$", "taint_unavailable")]
    assert kinds(scan) == set()
    assert taints.status()["failed"] >= 2

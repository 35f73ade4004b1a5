"""Who is forgotten when there are too many tenants, and who is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.scoring import Standing
from gateway.core.types import Zone
from gateway.traffic import RollingTraffic
from gateway.traffic.rolling import LEAST
from gateway.traffic.tenants import Tenants
from tests.support.traffic import Asker


def test_tenants_that_ask_once_do_not_push_out_one_that_asks_steadily() -> None:
    asker = Asker(RollingTraffic(most_tenants=16))
    asker.feed([0.5] * LEAST, tenant="steady")
    asker.answered(Zone.REMOTE, tenant="steady", gain=0.9)
    for number in range(1000):
        asker.ask(0.5, tenant=f"once-{number}")
    assert asker.look(0.6, tenant="steady").rank == pytest.approx(LEAST / (LEAST + 1))
    assert asker.look(0.6, tenant="steady").share == 1 / (LEAST + 1)


@pytest.mark.parametrize("between", [1, 10, 100])
def test_a_tenant_that_keeps_asking_between_others_is_known_in_the_end(between: int) -> None:
    asker = Asker(RollingTraffic(most_tenants=512))
    for number in range(LEAST):
        asker.ask(0.5, tenant="steady")
        for other in range(between):
            asker.ask(0.5, tenant=f"once-{number}-{other}")
    assert asker.look(0.6, tenant="steady").rank == 1


def test_tenants_that_asked_a_lot_and_are_gone_make_room() -> None:
    asker = Asker(RollingTraffic(most_tenants=8))
    for number in range(20):
        asker.feed([0.5] * (LEAST + 1), tenant=f"gone-{number}")
    asker.feed([0.5] * (LEAST + 1), tenant="here")
    assert asker.look(0.6, tenant="here").rank == 1
    assert asker.look(0.6, tenant="gone-0") == Standing(share=0.0)
    assert asker.look(0.6, tenant="gone-19").rank == 1


def test_looking_at_a_tenant_does_not_keep_it() -> None:
    asker = Asker(RollingTraffic(most_tenants=4))
    asker.ask(0.5, tenant="watched")
    for number in range(4):
        asker.look(0.5, tenant="watched")
        asker.ask(0.5, tenant=f"once-{number}")
    assert "watched" not in {share.tenant for share in asker.traffic.shares()}


@given(most=st.integers(1, 9), asks=st.lists(st.tuples(st.integers(0, 12), st.integers(1, 5)), max_size=60))
def test_there_are_never_more_than_there_is_room_for_and_nobody_twice(most: int, asks: list[tuple[int, int]]) -> None:
    tenants = Tenants(most, least=6)
    for number, (name, times) in enumerate(asks):
        for time in range(times):
            tenants.asking(str(name)).count(f"{number}.{time}", "chat", None)
        names = [name for name, _ in tenants]
        assert len(names) == len(set(names)) == len(tenants) <= most

"""What went out of each tenant's requests stands on /metrics, under names that no client chooses."""

from __future__ import annotations

import pytest

from gateway.core.types import Zone
from gateway.settings import Settings
from gateway.telemetry import Metrics
from gateway.telemetry.labels import Label
from gateway.traffic import Share
from gateway.wiring.shares import shares, watch_shares
from tests.support.traffic import Asker

KEY = {"name": "k", "hash": f"sha256:{'0' * 64}"}


def page(metrics: Metrics) -> list[str]:
    return [line for line in metrics.render()[0].decode().splitlines() if line.startswith("gateway_remote_share")]


def test_the_realised_share_of_each_tenant_and_family_is_on_the_page() -> None:
    asker, metrics = Asker(), Metrics(version="1")
    settings = Settings(auth={"mode": "keys", "keys": [{**KEY, "tenant": "research"}]})
    watch_shares(metrics, settings, asker.traffic.shares)
    assert page(metrics) == []
    for zone, tenant, family in (
        (Zone.REMOTE, "research", "maths"),
        (Zone.LOCAL, "research", "maths"),
        (Zone.LOCAL, "research", "chat"),
        (Zone.REMOTE, "default", "chat"),
    ):
        asker.answered(zone, tenant=tenant, family=family)
    assert page(metrics) == [
        'gateway_remote_share{family="all",tenant="default"} 1.0',
        'gateway_remote_share{family="chat",tenant="default"} 1.0',
        f'gateway_remote_share{{family="all",tenant="research"}} {1 / 3}',
        'gateway_remote_share{family="chat",tenant="research"} 0.0',
        'gateway_remote_share{family="maths",tenant="research"} 0.5',
    ]


@pytest.mark.parametrize("name", ["research", 're"sea\\rch', "sea"])
def test_a_tenant_reads_what_is_its_own_and_no_tenants_name(name: str) -> None:
    asker, metrics = Asker(), Metrics(version="1")
    watch_shares(metrics, Settings(auth={"mode": "keys", "keys": [{**KEY, "tenant": name}]}), asker.traffic.shares)
    asker.answered(Zone.REMOTE, tenant="default", family="chat")
    asker.answered(Zone.REMOTE, tenant=name, family="maths")
    whole, own, none = (metrics.render(tenant)[0].decode().splitlines() for tenant in (None, name, "elsewhere"))
    told, mine, nothing = ([line for line in lines if 'tenant="' in line] for lines in (whole, own, none))
    assert mine == [line for line in told if 'tenant="default"' not in line]
    assert (len(told), len(mine), nothing) == (4, 2, [])
    assert len(whole) - len(own) == 2


def test_tenants_that_the_configuration_does_not_name_are_one() -> None:
    counted = [Share(f"invented-{number}", "chat", 2, number % 2) for number in range(1000)]
    assert dict(shares(counted, Label(["default"]))) == {("other", "all"): 0.25, ("other", "chat"): 0.25}


def test_a_part_that_cannot_tell_hides_none_of_the_others() -> None:
    metrics = Metrics(version="1")

    def broken() -> list[Share]:
        raise RuntimeError("broken")

    watch_shares(metrics, Settings(), broken)
    metrics.watch("answer", "Everything", lambda: 42)
    text = metrics.render()[0].decode()
    assert "gateway_answer 42.0" in text
    assert page(metrics) == []

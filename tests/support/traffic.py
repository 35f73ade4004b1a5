"""Tenants that ask: gains in, standings out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

from gateway.core.scoring import Score, Standing
from gateway.core.types import Assessment, Principal, Request, Zone
from gateway.traffic import RollingTraffic


class Asker:
    """Asks one traffic for whichever tenant, each time with an id of its own."""

    def __init__(self, traffic: RollingTraffic | None = None) -> None:
        self.traffic = traffic or RollingTraffic()
        self._numbers = itertools.count(1)

    def request(self, tenant: str = "a", id: str | None = None) -> Request:  # noqa: A002
        return Request(id or f"r{next(self._numbers)}", Principal(tenant=tenant), "auto", {"messages": []})

    def ask(self, gain: float | None, *, tenant: str = "a", family: str = "maths", remote: float = 0.9) -> Standing:
        return self.traffic.standing(self.request(tenant), scored(gain, family, remote))

    def look(self, gain: float | None, *, tenant: str = "a", family: str = "maths", remote: float = 0.9) -> Standing:
        return self.traffic.look(self.request(tenant), scored(gain, family, remote))

    def feed(self, gains: Iterable[float], *, tenant: str = "a", family: str = "maths", remote: float = 0.9) -> None:
        for gain in gains:
            self.ask(gain, tenant=tenant, family=family, remote=remote)

    def answered(self, zone: Zone, *, tenant: str = "a", family: str = "maths", gain: float | None = 0.6) -> Request:
        """One request from its score to its answer."""
        request = self.request(tenant)
        self.traffic.standing(request, scored(gain, family))
        self.traffic.went(request, Assessment(family=family), zone)
        return request


def scored(gain: float | None, family: str = "maths", remote: float = 0.9) -> Score:
    """With the two chances that make the gain."""
    local = None if gain is None else remote - (2 * gain - 1)
    return Score(gain, family=family, local=local, remote=None if gain is None else remote)

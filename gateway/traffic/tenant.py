"""One tenant's recent requests: their scores by task family, and which of them went out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gateway.core.scoring import FAMILIES, Score
from gateway.traffic.window import Chances, Window

RECENT = 512
"""Requests, of all families together, over which the realised share is taken."""


class Share(NamedTuple):
    """Of a tenant's recent requests of a family, how many there were and how many went out."""

    tenant: str
    family: str
    asked: int
    out: int


class Tenant:
    __slots__ = ("_out", "_requests", "windows")

    def __init__(self) -> None:
        self.windows: dict[str, Window] = {}
        """By family, as they turn up."""
        self._requests: dict[str, tuple[str, bool]] = {}
        """By id, oldest first: family, and whether it went out."""
        self._out = 0

    @property
    def recent(self) -> Iterable[tuple[str, bool]]:
        """Family, and whether it went out, of each recent request, the oldest first."""
        return self._requests.values()

    @property
    def asked(self) -> int:
        """Recent requests, RECENT at most."""
        return len(self._requests)

    @property
    def share(self) -> float:
        """Who asked nothing yet sent nothing out."""
        return self._out / len(self._requests) if self._requests else 0.0

    def counted(self, request_id: str) -> bool:
        return request_id in self._requests

    def count(self, request_id: str, family: str, chances: Chances | None) -> None:
        """From now on it is one of them; until `went` says otherwise, one that stayed."""
        if len(self._requests) >= RECENT:
            _, out = self._requests.pop(next(iter(self._requests)))
            self._out -= out
        self._requests[request_id] = (family, False)
        if chances is not None:
            self.score(family, chances)

    def score(self, family: str, chances: Chances) -> None:
        self.windows.setdefault(family, Window()).add(chances)

    def went(self, request_id: str, out: bool) -> None:
        """One that was never counted, or is forgotten by now, changes nothing."""
        if (known := self._requests.get(request_id)) is not None:
            self._requests[request_id] = (known[0], out)
            self._out += out - known[1]

    def shares(self, name: str) -> list[Share]:
        asked: dict[str, list[bool]] = {}
        for family, out in self._requests.values():
            asked.setdefault(family, []).append(out)
        return [Share(name, family, len(each), sum(each)) for family, each in asked.items()]


def family_of(score: Score) -> str:
    """One of FAMILIES, whatever a scorer says: memory and labels are kept for each."""
    return score.family if score.family in FAMILIES else "other"

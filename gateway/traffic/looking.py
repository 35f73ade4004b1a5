"""A `Traffic` for who asks what would be decided: it says where a request stands and lets nothing count."""

from __future__ import annotations

from gateway.core.ports import Traffic
from gateway.core.types import Assessment, Request, Score, Standing, Zone


class Looking:
    def __init__(self, traffic: Traffic) -> None:
        self._traffic = traffic

    def standing(self, request: Request, score: Score) -> Standing:
        return self._traffic.look(request, score)

    def look(self, request: Request, score: Score) -> Standing:
        return self._traffic.look(request, score)

    def went(self, request: Request, assessment: Assessment, zone: Zone, *, answered: bool = False) -> None:
        """It goes nowhere."""

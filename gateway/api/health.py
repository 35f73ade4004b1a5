"""GET /healthz and /readyz: is the process alive, and can every configured zone serve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gateway.api.errors import HTTPError
from gateway.core.types import Json, Zone


@dataclass(frozen=True, slots=True)
class Condition:
    """One part's readiness, asked each time."""

    name: str
    zone: Zone | None
    """The zone that cannot serve without it; None = no request can."""
    check: Callable[[], str | None]
    """None when it is ready, otherwise why not."""
    describe: Callable[[], Json] | None = None


class Health:
    def __init__(self, conditions: tuple[Condition, ...]) -> None:
        self._conditions = conditions

    def ready(self, zone_word: str | None, *, in_full: bool = True) -> tuple[int, Json]:
        """(status, body). With a zone, only what that zone needs counts.

        A probe without a key learns which part is not ready; problems, which may name paths, models and digests are
        for those `in_full` is given to.
        """
        zone = _zone(zone_word)
        parts: dict[str, Json] = {}
        ready = True
        for condition in self._conditions:
            if zone is not None and condition.zone not in {None, zone}:
                continue
            problem = condition.check()
            ready = ready and problem is None
            part: dict[str, Json] = {"ready": problem is None}
            parts[condition.name] = part
            if not in_full:
                continue
            if condition.zone is not None:
                part["zone"] = str(condition.zone)
            if problem is not None:
                part["problem"] = problem
            if condition.describe is not None:
                part |= condition.describe()
        return (200 if ready else 503), {"status": "ready" if ready else "not ready", "parts": parts}


def _zone(word: str | None) -> Zone | None:
    if word is None:
        return None
    try:
        return Zone[word.upper()]
    except KeyError:
        words = ", ".join(str(zone) for zone in Zone)
        raise HTTPError(400, f"'zone' must be one of {words}", code="invalid_value", param="zone") from None

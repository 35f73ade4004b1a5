"""What the log says about one request: the records that `gateway why` decides again from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.audit.segments import segments
from gateway.audit.show import Wanted, in_segment
from gateway.core.types import Json


@dataclass(frozen=True, slots=True)
class Trail:
    """The records of one request, oldest first."""

    records: tuple[Mapping[str, Json], ...]

    @property
    def decided(self) -> Mapping[str, Json] | None:
        """The newest: it stands where it was decided more than once, or a client used one request id twice."""
        return next((record for record in reversed(self.records) if record.get("event") == "decided"), None)

    @property
    def before(self) -> Mapping[str, Json] | None:
        """What was decided first, where a draft had it decided again."""
        decisions = [record for record in self.records if record.get("event") == "decided"]
        if not decisions or not _says(decisions[-1], "drafted"):
            return None
        return next((record for record in reversed(decisions) if not _says(record, "drafted")), None)

    @property
    def attempts(self) -> tuple[Mapping[str, Json], ...]:
        return tuple(record for record in self.records if record.get("event") == "attempt")

    @property
    def outcome(self) -> Mapping[str, Json] | None:
        return next((record for record in reversed(self.records) if record.get("event") == "outcome"), None)


def find(directory: Path, request_id: str) -> Trail | None:
    """The trail of a request, or None when the log does not know it.

    Segments are read newest first and no further back than the one that holds its first `decided` record: people ask
    about what has just happened.
    """
    found: list[Mapping[str, Json]] = []
    for segment in reversed(segments(directory)):
        here = list(in_segment(segment, Wanted(request=request_id)))
        found[:0] = here
        if any(record.get("event") == "decided" and not _says(record, "drafted", "instead_of") for record in here):
            break
    return Trail(tuple(found)) if found else None


def _says(record: Mapping[str, Json], *names: str) -> bool:
    """Whether it is a further decision about its request, for one of these reasons."""
    facts = record.get("facts")
    return isinstance(facts, dict) and any(facts.get(name) for name in names)

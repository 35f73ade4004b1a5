"""Reading a log without judging it: which records. How one looks: `rows`; whether to believe it: `verify`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from gateway.audit.rows import left
from gateway.audit.segments import lines, segments
from gateway.core.types import Json


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which records to show; None means any."""

    request: str | None = None
    event: str | None = None
    since: str | None = None
    """RFC 3339 in UTC, or a beginning of it: `2026-11`. Times compare as text."""
    until: str | None = None
    """Exclusive; `2026-11-21` ends with the day before."""
    tenant: str | None = None
    """A pseudonym, as `Keys.pseudonym("tenant", name)` gives it."""
    left: bool = False
    """Only attempts that left this host."""

    def takes(self, record: Mapping[str, Json]) -> bool:
        ts = str(record.get("ts", ""))
        return (
            self.request in (None, record.get("request_id"))
            and self.event in (None, record.get("event"))
            and self.tenant in (None, record.get("tenant"))
            and (not self.left or left(record))
            and (self.since is None or ts >= self.since)
            and (self.until is None or ts < self.until)
        )


def records(directory: Path, wanted: Wanted | None = None, *, last: int | None = None) -> Iterator[dict[str, Json]]:
    """Records in the order of the log, lines that cannot be read left out. `last` keeps the newest ones only."""
    chosen = _chosen(directory, wanted or Wanted())
    return iter(deque(chosen, maxlen=last)) if last is not None else chosen


def _chosen(directory: Path, wanted: Wanted) -> Iterator[dict[str, Json]]:
    for segment in segments(directory):
        yield from in_segment(segment, wanted)


def in_segment(segment: Path, wanted: Wanted) -> Iterator[dict[str, Json]]:
    # Most lines are somebody else's: look for the bytes before parsing.
    needle = orjson.dumps(wanted.request) if wanted.request is not None else b""
    for line in lines(segment):
        if needle not in line.raw:
            continue
        try:
            record = orjson.loads(line.raw)
        except orjson.JSONDecodeError:
            continue
        if isinstance(record, dict) and wanted.takes(record):
            yield record

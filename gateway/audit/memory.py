"""Evidence that is kept in memory and gone with the process: for tests, and for trying things out.

It can be told to misbehave: `broken` refuses every record, `fail_at` the n-th ones (counted from 1), `fail_events` all
of an event, and `hold` makes writers wait until it is set.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

import anyio
import anyio.lowlevel

from gateway.audit.record import Members, encode
from gateway.core.errors import AuditUnavailable
from gateway.core.records import AuditRecord, Receipt
from gateway.core.types import Json


class MemoryAudit:
    """An AuditSink whose `records` can be looked at."""

    def __init__(
        self,
        *,
        fail_at: AbstractSet[int] = frozenset(),
        fail_events: AbstractSet[str] = frozenset(),
        hold: anyio.Event | None = None,
    ) -> None:
        self.records: list[AuditRecord] = []
        self.writes = 0
        """How often `write` was called, refusals included."""
        self.broken = False
        self.hold = hold
        self._fail_at = fail_at
        self._fail_events = fail_events
        self._closed = False

    async def write(self, record: AuditRecord, *, durable: bool = True) -> Receipt:
        self.writes += 1
        encode(Members("", record.event, record.request_id, record.tenant, record.subject, None, record.facts))
        if self._closed:
            raise AuditUnavailable("the audit log is closed")
        fails = self.broken or self.writes in self._fail_at or record.event in self._fail_events
        if not durable:  # the real log takes these in and keeps them until its disk is back
            if not fails:
                self.records.append(record)
            return Receipt(0, record.request_id, record.event)
        if fails:
            raise AuditUnavailable("the audit log was told to fail")
        self.records.append(record)
        sequence = len(self.records)
        if self.hold is not None:
            await self.hold.wait()
        await anyio.lowlevel.checkpoint()
        return Receipt(sequence, record.request_id, record.event)

    def events(self, request_id: str | None = None) -> list[str]:
        """Names of what was recorded, in order."""
        return [record.event for record in self.records if request_id in (None, record.request_id)]

    def status(self) -> dict[str, Json]:
        error = "told to fail" if self.broken else None
        return {"lag_records": 0, "last_commit_age_s": 0.0, "error": error, "sequence": len(self.records)}

    async def aclose(self) -> None:
        self._closed = True

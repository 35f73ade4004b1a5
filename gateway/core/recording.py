"""Writes the records of a request into the audit log, each at its moment, and says what may go on without one."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from gateway.core import evidence
from gateway.core.costing import reckon
from gateway.core.errors import AuditUnavailable
from gateway.core.parts import Asked, Parts
from gateway.core.records import Receipt
from gateway.core.trace import Trace, ms_since
from gateway.core.types import Allowed, BackendSpec, Json, Outgoing, Request, Scan, Zone


class Recording:
    """The evidence of one line's requests. The time that is waited for it goes to their traces."""

    def __init__(self, parts: Parts, spec_of: Callable[[str], BackendSpec | None]) -> None:
        self._parts = parts
        self._spec_of = spec_of

    async def decided(self, asked: Asked, trace: Trace, also: Mapping[str, Json] | None = None) -> None:
        """No record, no answer. Only LOCAL answers may go on without one, and only where the policy says so.

        Where something leaves, the `attempt` record is the one that is waited for; this one is written before it in
        the same file, so it is durable no later. Where nothing leaves after all, `kept` is waited for. `also` says
        why it was decided once more: what a draft showed, which policy was replaced.
        """
        request, decision, parts = asked.request, asked.decision, self._parts
        facts = {**(parts.facts(request, asked.assessment) if parts.facts else {}), **(also or {})}
        canonical = parts.canonical(request.body) if parts.canonical else None
        record = evidence.decided(request, decision, self._spec_of(decision.backend), facts, canonical)
        began = time.perf_counter()
        try:
            await parts.audit.write(record, durable=decision.zone is Zone.LOCAL or decision.refusal is not None)
        except AuditUnavailable:
            if decision.zone is not Zone.LOCAL or not unrecorded(asked):
                raise
        trace.audit_ms += ms_since(began)

    async def attempt(
        self, request: Request, way: Allowed, spec: BackendSpec, outgoing: Outgoing, scan: Scan, trace: Trace
    ) -> Receipt:
        """The record without which the door does not open."""
        began, number = time.perf_counter(), len(trace.tried) + 1
        receipt = await self._parts.audit.write(evidence.attempt(request, number, way, spec, outgoing, scan))
        trace.audit_ms += ms_since(began)
        trace.recorded = True
        return receipt

    async def kept(self, request: Request, way: Allowed, why: str, trace: Trace) -> None:
        """What was let out and stays all the same has no attempt: this is the record that its answer waits for."""
        began = time.perf_counter()
        await self._parts.audit.write(evidence.kept(request, way, why))
        trace.audit_ms += ms_since(began)

    async def ended(self, request: Request, trace: Trace) -> None:
        """Its outcome, also for the observer. It stands whether or not it can be written down."""
        spec = self._spec_of(trace.way.backend) if trace.way else None
        reckon(trace, spec, self._parts.prices)
        outcome = trace.finish()
        # The answer is out and its decision was recorded; the sink's own status tells the operator when it failed.
        with suppress(AuditUnavailable):
            await self._parts.audit.write(evidence.ended(request, outcome), durable=False)
        self._parts.observer.finished(outcome)


def unrecorded(asked: Asked) -> bool:
    """Whether an answer made here may go on without a record, under the policy that decided."""
    return asked.policy.without_record == "local"

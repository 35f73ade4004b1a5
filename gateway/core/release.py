"""The only door out. A remote backend takes a `Released`, and only `release` makes one.

Passing a plain Request to a remote backend fails the type check; constructing a `Released` by hand raises. This is a
rail against mistakes, not against malice: deployments also keep the engine on a network without a way out.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from gateway.core.errors import EgressDenied
from gateway.core.masking import is_value
from gateway.core.records import Receipt
from gateway.core.types import BackendSpec, Decision, Outgoing, Request, Scan, Sensitivity, Zone

_SEAL = object()


@dataclass(frozen=True, slots=True)
class Released:
    """A request as it will leave, the one backend it may go to, why, and the record that says so."""

    outgoing: Outgoing
    backend: BackendSpec
    decision: Decision
    request_id: str
    stream: bool
    sequence: int
    """Sequence number of the fsynced audit record of this very attempt."""
    _seal: object = field(repr=False, compare=False)

    def __post_init__(self) -> None:
        if self._seal is not _SEAL:
            raise EgressDenied("a Released is made by gateway.core.release.release alone")


def release(
    request: Request,
    decision: Decision,
    *,
    backend: BackendSpec,
    outgoing: Outgoing,
    scan: Scan,
    receipt: Receipt,
) -> Released:
    """Let `outgoing` go to `backend`, or raise EgressDenied.

    `scan` is what the detectors say about `outgoing.payload` itself, taken after every change to it. It may hold
    nothing that the decision did not weigh: the same kinds, no more of each, no unreadable part for REMOTE. Where the
    rule demands a transform, no value may be left at all.
    """
    check(request, decision, backend=backend, outgoing=outgoing, scan=scan)
    if receipt.sequence <= 0 or receipt.request_id != request.id or receipt.event != "attempt":
        raise EgressDenied(f"record {receipt.sequence} is no durable record of an attempt of request {request.id!r}")
    return Released(outgoing, backend, decision, request.id, request.stream, receipt.sequence, _SEAL)


def check(request: Request, decision: Decision, *, backend: BackendSpec, outgoing: Outgoing, scan: Scan) -> None:
    """Raise EgressDenied unless `decision` lets `outgoing` go to `backend`. The door without the record."""
    way = decision.allows(backend.name)
    if decision.refusal is not None or way is None or way.zone is not backend.zone:
        raise EgressDenied(
            f"policy {decision.policy!r} keeps request {request.id!r} away from backend {backend.name!r}: "
            f"rule {decision.rule!r} decided zone {decision.zone}"
        )
    if backend.zone is Zone.LOCAL:
        raise EgressDenied(f"backend {backend.name!r} is this host's own engine; nothing is released to it")
    if request.local_only:
        raise EgressDenied(f"request {request.id!r} asked to be answered locally")
    if way.transform != outgoing.transform:
        raise EgressDenied(f"rule {way.rule!r} demands transform {way.transform!r}, which was not applied")
    if outgoing.backend != backend.name:
        raise EgressDenied(f"the outgoing text was made for {outgoing.backend!r}, not for {backend.name!r}")
    if backend.zone is Zone.REMOTE and (decision.level is Sensitivity.UNKNOWN or scan.unreadable):
        raise EgressDenied("a part that no detector could read never goes to zone remote")
    if way.transform is not None and (left := sorted({f.kind for f in scan.findings if is_value(f)})):
        raise EgressDenied(f"after transform {way.transform!r} the outgoing text still holds {', '.join(left)}")
    if scan.findings:
        _check_considered(decision, scan)


def _check_considered(decision: Decision, scan: Scan) -> None:
    considered = dict(decision.considered)
    for kind, count in Counter(finding.kind for finding in scan.findings).items():
        if count > considered.get(kind, 0):
            raise EgressDenied(
                f"the outgoing text holds {count} finding(s) of kind {kind!r}; "
                f"the decision weighed {considered.get(kind, 0)}"
            )

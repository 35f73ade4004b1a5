"""The records that one request leaves: what was decided, each attempt to send, how it ended. Facts, never text."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.core.types import Allowed, AuditRecord, BackendSpec, Decision, Json, Outcome, Outgoing, Request, Scan


def decided(
    request: Request,
    decision: Decision,
    spec: BackendSpec | None,
    facts: Mapping[str, Json],
    canonical: bytes | None,
) -> AuditRecord:
    """`facts` are what the policy looked at; `spec` is the backend decided for."""
    told = {
        "level": str(decision.level),
        "zone": str(decision.zone),
        "backend": decision.backend,
        "backend_digest": spec.digest if spec else "",
        "region": spec.region if spec else "",
        "rule": decision.rule,
        "transform": decision.transform,
        "policy": decision.policy,
        "policy_digest": decision.policy_digest,
        "reasons": list(decision.reasons),
        "allowed": [[way.backend, str(way.zone), way.rule, way.transform] for way in decision.allowed],
        "refusal": decision.refusal,
    }
    return _record("decided", request, {**facts, "decision": told}, canonical)


def attempt(
    request: Request, number: int, way: Allowed, spec: BackendSpec, outgoing: Outgoing, scan: Scan
) -> AuditRecord:
    return _record(
        "attempt",
        request,
        {
            "number": number,
            "backend": spec.name,
            "backend_digest": spec.digest,
            "wire": spec.wire,
            "zone": str(spec.zone),
            "host": spec.host,
            "region": spec.region,
            "rule": way.rule,
            "transform": way.transform,
            "door": {"findings": len(scan.findings), "unreadable": len(scan.unreadable)},
            "dropped": list(outgoing.dropped),
        },
    )


def ended(request: Request, outcome: Outcome) -> AuditRecord:
    return _record(
        "outcome",
        request,
        {
            "outcome": outcome.outcome,
            "error": outcome.error,
            "zone": outcome.zone,
            "backend": outcome.backend,
            "rule": outcome.rule,
            "cache": outcome.cache,
            "attempts": outcome.attempts,
            "prompt_tokens": outcome.prompt_tokens,
            "completion_tokens": outcome.completion_tokens,
            "first_ms": None if outcome.first_ms is None else round(outcome.first_ms, 2),
            "total_ms": round(outcome.total_ms, 2),
        },
    )


def _record(event: str, request: Request, facts: Mapping[str, Json], canonical: bytes | None = None) -> AuditRecord:
    return AuditRecord(event, request.id, request.principal.tenant, request.principal.subject, facts, canonical)

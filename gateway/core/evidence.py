"""The records that one request leaves: what was decided, each attempt to send, how it ended. Facts, never text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

from gateway.core.records import AuditRecord, Outcome
from gateway.core.types import Allowed, BackendSpec, Decision, Json, Outgoing, Request, Scan

_FIELDS = frozenset(
    {"annotations", "audio", "cache_control", "content", "frequency_penalty", "functions", "function_call", "index",
     "logit_bias", "logprobs", "max_completion_tokens", "max_tokens", "metadata", "min_p", "modalities", "n", "name",
     "parallel_tool_calls", "prediction", "presence_penalty", "prompt_cache_key", "prompt_cache_retention",
     "reasoning_content", "reasoning_effort", "refusal", "response_format", "safety_identifier", "seed",
     "service_tier", "stop", "store", "stream_options", "strict", "temperature", "tool_call_id", "tool_calls",
     "tool_choice", "tools", "top_k", "top_logprobs", "top_p", "user", "verbosity", "web_search_options"}
)  # fmt: skip
"""Names of the API. Any other name of a dropped field is the client's own text, and is not written down."""


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
        "adapter": decision.adapter,
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
            "replaced": outgoing.replaced,
            "door": {"findings": len(scan.findings), "unreadable": len(scan.unreadable)},
            "dropped": sorted({_plain(name) for name in outgoing.dropped}),
        },
    )


def kept(request: Request, way: Allowed, why: str) -> AuditRecord:
    """It was let out and nothing left: the answer came from the cache, or from the local model after all."""
    return _record("kept", request, {"why": why, "backend": way.backend, "zone": str(way.zone), "rule": way.rule})


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
            "tried": [list(pair) for pair in outcome.tried],
            "prompt_tokens": outcome.prompt_tokens,
            "completion_tokens": outcome.completion_tokens,
            "context_dropped": outcome.context_dropped,
            "unrestored": outcome.unrestored,
            "confidence": None if outcome.confidence is None else asdict(outcome.confidence),
            "cost_usd": outcome.cost_usd,
            "all_remote_usd": outcome.all_remote_usd,
            "draft_tokens": outcome.draft_tokens,
            "draft_ms": round(outcome.draft_ms, 2),
            "draft": outcome.draft,
            "first_ms": None if outcome.first_ms is None else round(outcome.first_ms, 2),
            "total_ms": round(outcome.total_ms, 2),
        },
    )


def _record(event: str, request: Request, facts: Mapping[str, Json], canonical: bytes | None = None) -> AuditRecord:
    return AuditRecord(event, request.id, request.principal.tenant, request.principal.subject, facts, canonical)


def _plain(name: str) -> str:
    """`messages[].Mario` → `messages[].?`: what stands before the last dot is the wire's own word."""
    prefix, dot, field = name.rpartition(".")
    return name if field in _FIELDS else f"{prefix}{dot}?"

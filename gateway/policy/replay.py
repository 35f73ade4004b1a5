"""Deciding again from recorded facts: what `decide` looked at, as JSON, and the way back."""

from __future__ import annotations

import math
from collections.abc import Mapping

from gateway.core.types import (
    TAINT,
    Assessment,
    Decision,
    Finding,
    Json,
    Needs,
    Place,
    Principal,
    Request,
    Sensitivity,
    Unreadable,
)
from gateway.policy.evaluate import CompiledPolicy

_REPLAYED = "replayed"


def facts_of(request: Request, assessment: Assessment) -> dict[str, Json]:
    """Every fact a decision depends on besides the policy and the catalogue. No request text, no places."""
    principal = request.principal
    return {
        "tenant": principal.tenant,
        "roles": sorted(principal.roles),
        "tags": sorted(principal.tags),
        "public": principal.public,
        "purpose": principal.purpose,
        "model": request.model,
        "local_only": request.local_only,
        "adapter": request.adapter,
        "at_least": None if request.at_least is None else str(request.at_least),
        "received_at": _number(request.received_at),
        "findings": [_finding_to_json(finding) for finding in assessment.findings],
        "unreadable": [{"path": part.path, "reason": part.reason} for part in assessment.unreadable],
        "gain": _number(assessment.gain),
        "rank": _number(assessment.rank),
        "quality": _number(assessment.quality),
        "share": _number(assessment.share),
        "family": assessment.family,
        "local": _number(assessment.local),
        "remote": _number(assessment.remote),
        "competence": _number(assessment.competence),
        "drafted": assessment.drafted,
        "language": assessment.language,
        "language_confidence": _number(assessment.language_confidence),
        "needs": _needs_to_json(assessment.needs),
        "tokens": assessment.tokens,
        "generic": assessment.generic,
    }


def replay(policy: CompiledPolicy, facts: Mapping[str, Json]) -> Decision:
    """What `policy` says to recorded facts: for the same policy and catalogue, the recorded decision."""
    request = Request(
        id=_REPLAYED,
        principal=Principal(
            tenant=facts["tenant"],
            roles=frozenset(facts["roles"]),
            tags=frozenset(facts["tags"]),
            public=facts["public"],
            purpose=facts["purpose"],
        ),
        model=facts["model"],
        body={"messages": []},
        local_only=facts["local_only"],
        adapter=facts.get("adapter"),  # records made before there were adapters do not say
        at_least=None if facts["at_least"] is None else Sensitivity[facts["at_least"].upper()],
        received_at=_or_nan(facts["received_at"]),
    )
    assessment = Assessment(
        findings=tuple(_finding_from_json(finding) for finding in facts["findings"]),
        unreadable=tuple(Unreadable(part["path"], part["reason"]) for part in facts["unreadable"]),
        gain=facts["gain"],
        rank=facts["rank"],
        # Records made before these facts were kept do not say.
        quality=facts.get("quality"),
        share=facts.get("share"),
        family=facts.get("family", "other"),
        local=facts.get("local"),
        remote=facts.get("remote"),
        competence=facts.get("competence"),
        drafted=facts.get("drafted", False),
        language=facts["language"],
        language_confidence=_or_nan(facts["language_confidence"]),
        needs=Needs(**facts["needs"]),
        tokens=facts["tokens"],
        generic=facts.get("generic", False),  # records made before there was the test do not say
    )
    return policy.decide(request, assessment)


def _needs_to_json(needs: Needs) -> dict[str, Json]:
    """`asdict` would copy every member as if it held others, with every request."""
    return {
        "image": needs.image,
        "audio": needs.audio,
        "file": needs.file,
        "tools": needs.tools,
        "schema": needs.schema,
        "logprobs": needs.logprobs,
        "context": needs.context,
    }


def _finding_to_json(finding: Finding) -> dict[str, Json]:
    told = {
        "kind": finding.kind,
        "category": finding.category,
        "confidence": _number(finding.confidence),
        "value_id": finding.value_id,
        "near": sorted(finding.near),
        "reserved": finding.reserved,
        "path": finding.place.path,
    }
    # What is only remembered stands nowhere in the request, so the door does not expect it there.
    return told | {"remembered": True} if finding.detector == TAINT else told


def _finding_from_json(facts: Mapping[str, Json]) -> Finding:
    return Finding(
        detector=TAINT if facts.get("remembered") else _REPLAYED,
        kind=facts["kind"],
        category=facts["category"],
        confidence=_or_nan(facts["confidence"]),
        place=Place(facts["path"], 0, 0),
        value_id=facts["value_id"],
        near=frozenset(facts["near"]),
        reserved=facts["reserved"],
    )


def _number(value: float | None) -> float | None:
    """JSON has no NaN and no infinity; both mean "no fact" here, which is what null means."""
    return value if value is not None and math.isfinite(value) else None


def _or_nan(value: float | None) -> float:
    return math.nan if value is None else value

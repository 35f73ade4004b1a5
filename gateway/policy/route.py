"""What would be done with a request, as facts for whoever asks: scores, gates, ways and their cost, and no text."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from gateway.core.ports import Prices
from gateway.core.types import Assessment, BackendSpec, Decision, Json, Needs, Request, Usage
from gateway.policy.facts import CERTAIN_LANGUAGE, whole_needs

ASSUMED_TOKENS = 300
"""How long an answer is taken to be: nobody knows before it is given."""


def route(
    request: Request,
    assessment: Assessment,
    decision: Decision,
    specs: Sequence[BackendSpec],
    prices: Prices | None = None,
) -> dict[str, Json]:
    """Ready for JSON. The findings are kinds and counts; where they stand is told by `gateway explain` alone."""
    needs = whole_needs(assessment)
    sure = assessment.language_confidence >= CERTAIN_LANGUAGE
    usage = _usage(request, assessment)
    return {
        "level": str(decision.level),
        "zone": str(decision.zone),
        "backend": decision.backend,
        "rule": decision.rule,
        "transform": decision.transform,
        "adapter": decision.adapter,
        "notice": decision.notice,
        "refusal": None if decision.refusal is None else {"code": decision.refusal, "detail": decision.refusal_detail},
        "wait_s": decision.wait_s,
        "reasons": list(decision.reasons),
        "kinds": dict(sorted(Counter(finding.kind for finding in assessment.findings).items())),
        "unreadable": dict(sorted(Counter(part.reason for part in assessment.unreadable).items())),
        "scores": scores(assessment),
        "tokens": assessment.tokens,
        "needs": asdict(needs),
        "gates": [_gate(spec, needs, assessment.language if sure else None) for spec in specs],
        "ways": [
            {
                "backend": way.backend,
                "zone": str(way.zone),
                "rule": way.rule,
                "transform": way.transform,
                "usd": _cost(way.backend, usage, specs, prices),
            }
            for way in decision.allowed
        ],
        "cost": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "usd": _cost(decision.backend, usage, specs, prices) if decision.refusal is None else None,
            "all_remote_usd": None if prices is None else prices.all_remote(usage),
        },
        "policy": {"name": decision.policy, "digest": decision.policy_digest},
    }


def scores(assessment: Assessment) -> dict[str, Json]:
    """Every number that a policy may compare, null where nobody knows."""
    return {
        "gain": _number(assessment.gain),
        "confidence": _number(assessment.gain_confidence),
        "local": _number(assessment.local),
        "remote": _number(assessment.remote),
        "family": assessment.family,
        "language": assessment.language,
        "language_confidence": _number(assessment.language_confidence),
        "competence": _number(assessment.competence),
        "rank": _number(assessment.rank),
        "quality": _number(assessment.quality),
        "share": _number(assessment.share),
        "scorer": assessment.scorer,
    }


def _gate(spec: BackendSpec, needs: Needs, language: str | None) -> dict[str, Json]:
    """What stands between the request and one backend, whatever the policy says."""
    return {
        "backend": spec.name,
        "zone": str(spec.zone),
        "serves": spec.can(needs) is None and spec.speaks(language),
        "lacks": list(spec.lacks(needs)),
        "speaks": spec.speaks(language),
    }


def _usage(request: Request, assessment: Assessment) -> Usage:
    """An answer of ordinary length, or as long as the client lets it be where that is less."""
    body = request.body
    limit = body.get("max_completion_tokens") or body.get("max_tokens") or ASSUMED_TOKENS
    return Usage(assessment.tokens, min(limit, ASSUMED_TOKENS) * (body.get("n") or 1))


def _cost(backend: str, usage: Usage, specs: Sequence[BackendSpec], prices: Prices | None) -> float | None:
    spec = next((spec for spec in specs if spec.name == backend), None)
    return None if spec is None or prices is None else prices.cost(spec, usage)


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None

"""Why a request is decided as it is: every rule, every condition, what it wants and what it found."""

from __future__ import annotations

import math

from gateway.core.types import Assessment, Decision, Json, Request
from gateway.policy.conditions import Condition
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.facts import Facts


def explain(policy: CompiledPolicy, request: Request, assessment: Assessment) -> dict[str, Json]:
    """A trace ready for JSON. It holds facts and the policy's own words, never request text."""
    facts = policy.facts(request, assessment)
    return {
        "policy": {"name": policy.name, "digest": policy.digest},
        "level": {"level": str(facts.level), "raised_by": list(facts.grade.raised_by)}
        | ({"public": facts.earned} if facts.earned is not None else {}),
        "findings": {
            "counted": len(facts.findings),
            "let_pass": len(assessment.findings) - len(facts.findings),
            "unreadable": sorted({part.reason for part in assessment.unreadable}),
        },
        "permits": [
            {
                "name": permit.name,
                "zone": str(permit.zone),
                "matched": permit.lacks(facts) is None,
                "conditions": [_condition(condition, facts) for condition in permit.conditions],
            }
            # The demand stands where the permit does not hold for what was found.
            | ({"with": permit.transform, "demands": permit.demands(facts)} if permit.transform else {})
            for permit in policy.permits
        ],
        "forbids": [
            {
                "name": forbid.name,
                "zone": str(forbid.zone),
                "matched": forbid.holds(facts),
                "conditions": [_condition(condition, facts) for condition in forbid.conditions],
            }
            for forbid in policy.forbids
        ],
        "adapters": [
            {
                "name": rule.name,
                "adapter": rule.adapter,
                "always": rule.always,
                "matched": rule.holds(facts),
                "conditions": [_condition(condition, facts) for condition in rule.conditions],
            }
            for rule in policy.adapters
        ],
        "decision": decision_to_json(policy.decide(request, assessment)),
    }


def decision_to_json(decision: Decision) -> dict[str, Json]:
    """The decision in words and numbers that JSON has."""
    return {
        "level": str(decision.level),
        "zone": str(decision.zone),
        "backend": decision.backend,
        "rule": decision.rule,
        "reasons": list(decision.reasons),
        "allowed": [
            {"backend": way.backend, "zone": str(way.zone), "rule": way.rule, "transform": way.transform}
            for way in decision.allowed
        ],
        "considered": dict(decision.considered),
        "transform": decision.transform,
        "scan_answer": None if decision.scan_answer is None else str(decision.scan_answer),
        "lifted": decision.lifted,
        "adapter": decision.adapter,
        "cacheable": decision.cacheable,
        "wait_s": decision.wait_s,
        "notice": decision.notice,
        "refusal": decision.refusal,
        "refusal_detail": decision.refusal_detail,
    }


def _condition(condition: Condition, facts: Facts) -> dict[str, Json]:
    have = condition.have(facts)
    if isinstance(have, float) and not math.isfinite(have):
        have = None
    # `holds` is null where the fact is missing or uncertain: no for a permit, yes for a forbid.
    shown = {"field": condition.field, "want": condition.want, "have": have, "holds": condition.test(facts)}
    return shown if condition.told is None else {**shown, "said": condition.told(facts) or condition.unknown}

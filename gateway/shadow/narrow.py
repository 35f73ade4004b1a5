"""The policy as a shadow asks it: only what is PUBLIC, only to one backend, and only by the policy's own permits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from gateway.core.ports import Policy, PolicySource, Scorer
from gateway.core.types import Assessment, Decision, Json, Request, Score, Sensitivity, Zone

REWRITTEN = "rewrite"
OF, TO = "shadow_of", "shadow_to"
"""Facts of a shadow's `decided` record: the request it follows, and the only backend it was for."""


def only_to(decision: Decision, backend: str) -> Decision:
    """The decision less every way but that to `backend`; refused where there is none or the request is not PUBLIC.

    Also where the request would be rewritten: the local model makes that answer too, and would be measured by itself.
    """
    way = decision.allows(backend)
    away = way is not None and way.zone is not Zone.LOCAL and way.transform != REWRITTEN
    if way is None or not away or decision.refusal is not None or decision.level > Sensitivity.PUBLIC:
        detail = f"policy {decision.policy!r} does not let this request go to backend {backend!r} to be measured"
        return replace(decision, allowed=(), refusal="model_not_permitted", refusal_detail=detail)
    return replace(
        decision,
        zone=way.zone,
        backend=way.backend,
        rule=way.rule,
        transform=way.transform,
        allowed=(way,),
        adapter=None,
        cacheable=False,
        notice=None,
        wait_s=0.0,
    )


def as_decided(decision: Decision, facts: Mapping[str, Json]) -> Decision:
    """What deciding again from recorded facts gives, seen as the record's maker saw it."""
    backend = facts.get(TO)
    return only_to(decision, backend) if isinstance(backend, str) else decision


class OnlyTo:
    """A `Policy`: another one, narrowed."""

    def __init__(self, policy: Policy, backend: str) -> None:
        self.name = policy.name
        self.digest = policy.digest
        self.without_record = "refuse"
        self.shadow = None
        self._policy = policy
        self._backend = backend

    def decide(self, request: Request, assessment: Assessment) -> Decision:
        return only_to(self._policy.decide(request, assessment), self._backend)

    def level_of(self, kind: str, category: str) -> Sensitivity:
        return self._policy.level_of(kind, category)


class Narrowed:
    """A `PolicySource`: whatever is in force when it is asked, narrowed."""

    def __init__(self, policies: PolicySource, backend: str) -> None:
        self._policies = policies
        self._backend = backend

    def current(self) -> OnlyTo:
        return OnlyTo(self._policies.current(), self._backend)


class AsIfHard:
    """A `Scorer` that asks what would be allowed were the request hard: the rest of the score stands."""

    def __init__(self, scorer: Scorer) -> None:
        self._scorer = scorer

    async def score(self, request: Request) -> Score:
        return replace(await self._scorer.score(request), gain=1.0)

"""What the line would do with a request, without doing it: it is assessed and decided, and that is all.

Nothing is asked, sent, cached or remembered, and it does not count in its tenant's traffic. One record says that
somebody asked; nothing waits for that one, since nothing leaves and nothing is answered.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from gateway.core.assess import assess
from gateway.core.beginning import home
from gateway.core.errors import AuditUnavailable
from gateway.core.parts import Asked, Parts, nobody
from gateway.core.records import AuditRecord
from gateway.core.types import BackendSpec, Json, Request
from gateway.policy.route import route
from gateway.traffic import Looking


class Preview:
    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._traffic = None if parts.traffic is None else Looking(parts.traffic)

    async def __call__(self, request: Request) -> dict[str, Json]:
        """The facts of `policy.route.route`, and whether the local model's first tokens would be asked as well."""
        parts = self._parts
        seen: dict[Any, Any] = {}
        assessment = await assess(
            parts.detector, parts.scorer, request, seen, taints=parts.taints, traffic=self._traffic
        )
        policy = parts.policies.current()
        asked = Asked(request, assessment, policy, policy.decide(request, assessment), seen, nobody)
        with suppress(AuditUnavailable):
            await parts.audit.write(_explained(asked), durable=False)
        told = route(request, assessment, asked.decision, self._specs(), parts.prices)
        return {"object": "gateway.route", "id": request.id, **told, "draft": self._drafts(asked)}

    def _drafts(self, asked: Asked) -> bool:
        """It would begin here unseen, and what its first tokens show would be decided anew."""
        cascade, local = self._parts.cascade, self._parts.local
        return cascade is not None and local is not None and home(cascade, self._traffic, asked) is not None

    def _specs(self) -> list[BackendSpec]:
        local = [] if self._parts.local is None else [self._parts.local.spec]
        return [*local, *(backend.spec for backend in self._parts.remotes.values())]


def _explained(asked: Asked) -> AuditRecord:
    """Who asks what a policy would do may be feeling for its holes: an auditor can see that somebody did."""
    request, decision = asked.request, asked.decision
    facts: dict[str, Json] = {
        "level": str(decision.level),
        "zone": str(decision.zone),
        "backend": decision.backend,
        "rule": decision.rule,
        "refusal": decision.refusal,
        "policy": decision.policy,
        "policy_digest": decision.policy_digest,
    }
    return AuditRecord("explained", request.id, request.principal.tenant, request.principal.subject, facts)

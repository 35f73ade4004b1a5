"""What this gateway writes into its evidence besides requests, and the facts a decision can be made from again."""

from __future__ import annotations

from collections.abc import Sequence

from gateway import __version__
from gateway.core.records import AuditRecord
from gateway.core.types import Assessment, BackendSpec, Json, Request
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.replay import facts_of


def facts(request: Request, assessment: Assessment) -> dict[str, Json]:
    """What a replay needs, less the tenant's name, which the record holds as a pseudonym."""
    told = facts_of(request, assessment)
    del told["tenant"]
    return {**told, "pack": assessment.pack, "scorer": assessment.scorer}


def started(specs: Sequence[BackendSpec], policy: CompiledPolicy, pack: str) -> AuditRecord:
    """A changed definition of a backend shows as another digest here: changing it is an audited event."""
    backends = [
        {"name": spec.name, "zone": str(spec.zone), "host": spec.host, "model": spec.model, "digest": spec.digest}
        for spec in specs
    ]
    return AuditRecord(
        "started",
        "",
        "",
        "",
        {
            "version": __version__,
            "backends": backends,
            "policy": policy.name,
            "policy_digest": policy.digest,
            "pack": pack,
        },
    )


def stopped() -> AuditRecord:
    return AuditRecord("stopped", "", "", "", {})

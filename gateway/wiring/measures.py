"""The metrics of this gateway: which names may be labels, and the gauges that its parts are asked for."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial

from gateway import __version__
from gateway.audit.jsonl import JsonlAudit
from gateway.core.ports import LocalBackend
from gateway.core.types import DERIVED, BackendSpec
from gateway.policy.evaluate import CompiledPolicy
from gateway.taint import TaintMemory
from gateway.telemetry import Metrics

_OF_THE_ENGINE = {
    "restarts": "Times that the local engine was started again",
    "waiting": "Requests that the local engine has taken and not ended",
    "cancelled": "Requests that the local engine gave up because nobody waited any more",
}


def build_metrics(
    specs: Sequence[BackendSpec],
    policy: CompiledPolicy,
    kinds: Collection[str],
    audit: JsonlAudit,
    taints: TaintMemory,
    local: LocalBackend | None,
) -> Metrics:
    metrics = Metrics(
        version=__version__,
        backends=[spec.name for spec in specs],
        rules=rules(policy),
        kinds=[*kinds, *own_kinds(policy), *DERIVED.values()],
    )
    metrics.watch("audit_lag_records", "Records waiting for the disk", lambda: audit.status()["lag_records"])
    metrics.watch(
        "audit_commit_age_seconds", "Since records last reached the disk", lambda: audit.status()["last_commit_age_s"]
    )
    metrics.watch("taint_entries", "Answers whose origin is remembered", lambda: float(taints.status()["entries"]))
    metrics.watch(
        "taint_dropped",
        "Of these, forgotten before their time for want of room",
        lambda: float(taints.status()["dropped"]),
    )
    for name, meaning in _OF_THE_ENGINE.items():
        if hasattr(local, name):
            metrics.watch(f"local_{name}", meaning, partial(getattr, local, name))
    return metrics


def own_kinds(policy: CompiledPolicy) -> list[str]:
    return [rule.kind for rule in policy.own.rules]


def rules(policy: CompiledPolicy) -> list[str]:
    return ["default", *(permit.name for permit in policy.permits)]

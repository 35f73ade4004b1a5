"""What `/readyz` looks at: the parts of this gateway, each with the zone that cannot serve without it."""

from __future__ import annotations

from functools import partial

from gateway.api.health import Condition, Health
from gateway.core.ports import LocalBackend, RemoteBackend
from gateway.core.types import Json, Zone
from gateway.policy.source import FilePolicySource
from gateway.wiring.backends import Remotes
from gateway.wiring.stores import Stores
from gateway.wiring.warming import Warming

_SHOWN = 20
"""Sentences about a policy; `gateway check` has the others."""


def build_health(
    policies: FilePolicySource,
    stores: Stores,
    local: LocalBackend | None,
    remotes: Remotes,
    warming: Warming,
) -> Health:
    audit, cache, taints = stores.audit, stores.cache, stores.taints
    conditions = [
        Condition("audit", None, lambda: audit.status()["error"]),
        Condition("policy", None, lambda: None, lambda: _policy_state(policies)),
        Condition("cache", None, lambda: None, lambda: {"state": cache.status()["state"]}),
        Condition("taint", None, lambda: None, lambda: {"state": taints.status()["state"]}),
        Condition("local", Zone.LOCAL, lambda: _local_problem(local), lambda: _local_state(local)),
    ]
    for name, backend in remotes.backends.items():
        describe = partial(_remote_state, backend, name in remotes.stand_ins)
        conditions.append(Condition(name, backend.spec.zone, partial(warming.problem, name), describe))
    return Health(tuple(conditions))


def _policy_state(policies: FilePolicySource) -> dict[str, Json]:
    """A broken file keeps the old policy in force: worth a warning, no reason to take the replica out."""
    policy = policies.current()
    state: dict[str, Json] = {"name": policy.name, "digest": policy.digest}
    if policy.warnings:
        state["warnings"] = {"count": len(policy.warnings), "sentences": list(policy.warnings[:_SHOWN])}
    return {**state, "warning": policies.error} if policies.error else state


def _local_problem(local: LocalBackend | None) -> str | None:
    status = getattr(local, "status", None)
    if status is None or str(status.state) == "ready":
        return None
    return f"{status.state}: {status.reason}" if status.reason else str(status.state)


def _local_state(local: LocalBackend | None) -> dict[str, Json]:
    if local is None:
        return {"model": None, "note": "local.engine is off"}
    state: dict[str, Json] = {"model": local.spec.model}
    return {**state, "note": "canned answers, no model"} if local.spec.wire == "canned" else state


def _remote_state(backend: RemoteBackend, stand_in: bool) -> dict[str, Json]:
    state: dict[str, Json] = {"model": backend.spec.model}
    return {**state, "note": "stand-in: says what would have been sent, sends nothing"} if stand_in else state

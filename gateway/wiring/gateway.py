"""Builds every object of a gateway and owns its life: what runs beside the requests starts and ends here."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import structlog

from gateway import __version__
from gateway.api.app import App, Endpoints
from gateway.api.auth import Auth, KnownKey
from gateway.api.chat import Chat, ChatOptions
from gateway.api.cors import Cors
from gateway.api.health import Condition, Health
from gateway.api.models import Models
from gateway.audit.jsonl import JsonlAudit
from gateway.audit.record import canonical_request
from gateway.backends.canned import CannedLocal
from gateway.cache import SingleFlight, cache_key, open_cache
from gateway.cache.opened import OpenedCache
from gateway.core.ports import LocalBackend
from gateway.core.types import (
    Assessment,
    AuditRecord,
    BackendSpec,
    Decision,
    Json,
    Principal,
    Request,
    Zone,
)
from gateway.detect.scanner import Scanner
from gateway.pipeline import Parts, Pipeline
from gateway.policy.replay import facts_of
from gateway.policy.source import FilePolicySource
from gateway.score.scorer import LexicalScorer
from gateway.settings import Settings
from gateway.telemetry import Metrics, TelemetryObserver
from gateway.wiring.backends import Remotes, build_remotes, names
from gateway.wiring.catalogue import canned_spec
from gateway.wiring.places import Places, places, secret


@dataclass(frozen=True, slots=True)
class Gateway:
    """A gateway that is open: an ASGI application and the handles its owner needs."""

    app: App
    policies: FilePolicySource
    reload_policy: Callable[[], None]
    places: Places
    stand_ins: tuple[str, ...]
    local: BackendSpec


@asynccontextmanager
async def open_gateway(settings: Settings, folder: Path) -> AsyncGenerator[Gateway, None]:
    """Build and run a gateway until the block is left. Raises ConfigurationError before anything is served."""
    log = structlog.get_logger()
    where = places(settings, folder)
    async with AsyncExitStack() as stack:
        remotes = build_remotes(settings, folder)
        for backend in remotes.backends.values():
            if (close := getattr(backend, "aclose", None)) is not None:
                stack.push_async_callback(close)
        local = build_local(settings, folder)
        specs = [local_spec(local), *(backend.spec for backend in remotes.backends.values())]
        policies = FilePolicySource(where.policy, specs)
        detector = Scanner.load(cache_dir=where.packs, deadline_ms=settings.detect.deadline_ms)
        audit = JsonlAudit.open(where.audit, where.keys, segment_mb=settings.audit.segment_mb)
        stack.push_async_callback(audit.aclose)
        cache_secret = secret(where.keys / "cache.key")
        cache = open_cache(
            settings.cache.url,
            ttl_s=settings.cache.ttl_s,
            secret=cache_secret,
            share_local=settings.cache.share_local,
            max_mb=settings.cache.max_mb,
        )
        stack.push_async_callback(cache.aclose)
        metrics = _metrics(specs, policies, detector, audit)
        pipeline = Pipeline(
            Parts(
                detector=detector,
                scorer=LexicalScorer(specs[0]),
                policies=policies,
                local=local,
                remotes=remotes.backends,
                audit=audit,
                observer=TelemetryObserver(metrics, log),
                cache=None if cache.status()["kind"] == "off" else cache,
                flight=SingleFlight(),
                cache_key=partial(_cache_key, cache_secret),
                canonical=canonical_request,
                facts=_facts,
            )
        )
        on_change = _PolicyChanges(policies, audit, metrics, where.audit, log)
        app = _app(settings, pipeline, specs, remotes, metrics, _health(policies, audit, cache, local, remotes), log)
        async with anyio.create_task_group() as tasks:
            on_change.tasks = tasks
            await audit.write(_started(specs, policies, detector))
            keep_policy(where.audit, policies)
            _run_beside(tasks, settings, policies, on_change, local, remotes, cache)
            yield Gateway(app, policies, on_change.reload, where, remotes.stand_ins, specs[0])
            tasks.cancel_scope.cancel()
        await audit.write(AuditRecord("stopped", "", "", "", {}))


def build_local(settings: Settings, folder: Path) -> LocalBackend | None:
    """The engine on this host. llama.cpp itself is loaded later, in the engine's own process."""
    if settings.local.engine == "off":
        return None
    if settings.local.engine == "canned":
        return CannedLocal(canned_spec(settings))
    from gateway.engine.catalogue import find
    from gateway.engine.local import LocalEngine

    local = settings.local
    return LocalEngine(
        find(local.model, sha256=local.sha256, base=folder),
        context=local.context,
        threads=None if local.threads == "auto" else local.threads,
        isolation=local.isolation,
        start_wait_s=local.start_wait_s,
        queue=local.queue,
        languages=local.languages,
        system_prompt=local.system_prompt,
    )


def local_spec(local: LocalBackend | None) -> BackendSpec:
    """Without an engine there is still a place called local: what must stay there gets a clear 503."""
    return BackendSpec("local", Zone.LOCAL, "off", "local") if local is None else local.spec


def _run_beside(
    tasks: anyio.abc.TaskGroup,
    settings: Settings,
    policies: FilePolicySource,
    on_change: _PolicyChanges,
    local: LocalBackend | None,
    remotes: Remotes,
    cache: OpenedCache,
) -> None:
    if settings.policy.watch_s:
        tasks.start_soon(policies.watch, settings.policy.watch_s, on_change)
    if (run := getattr(local, "run", None)) is not None:
        tasks.start_soon(run)
    for name in remotes.litellm:
        warm: Any = getattr(remotes.backends[name], "warm", None)
        tasks.start_soon(warm)
    tasks.start_soon(cache.warm)


def _app(
    settings: Settings,
    pipeline: Pipeline,
    specs: list[BackendSpec],
    remotes: Remotes,
    metrics: Metrics,
    health: Health,
    log: Any,
) -> App:
    server = settings.server
    auth = Auth(None if settings.auth.mode == "none" else _known_keys(settings))
    meaning = names(settings, specs[0], specs[1:])
    owners = {spec.name: str(spec.zone) for spec in specs} | {specs[0].model: "local"}

    def log_failure(request_id: str, error: Exception) -> None:
        log.error("request_failed", request_id=request_id, exc_info=error)

    options = ChatOptions(
        body_limit=int(server.body_limit_mb * 1_048_576),
        names=meaning,
        headers=server.headers,
        echo_served=server.echo_model == "served",
        ping_s=server.ping_s,
        max_in_flight=server.max_in_flight,
    )
    return App(
        Endpoints(
            chat=Chat(pipeline, auth, options, log_failure, metrics.in_flight),
            models=Models({name: owners.get(name, "gateway") for name in meaning}, created=BUILT),
            health=health,
            metrics=metrics.render,
        ),
        auth,
        Cors(None if settings.auth.mode == "keys" and not server.cors_origins else server.cors_origins),
        hosts=(*server.allowed_hosts, server.host) if auth.open else None,
        log_failure=log_failure,
    )


BUILT = 1_790_000_000
"""`created` of every model listed: clients want a date, and a constant one keeps the answer cacheable."""


def _known_keys(settings: Settings) -> list[KnownKey]:
    return [
        KnownKey(
            key.hash.removeprefix("sha256:"),
            Principal(key.tenant, key.name, key.roles, key.tags, key.public, key.purpose),
        )
        for key in settings.auth.keys
    ]


def _health(
    policies: FilePolicySource, audit: JsonlAudit, cache: OpenedCache, local: LocalBackend | None, remotes: Remotes
) -> Health:
    conditions = [
        Condition("audit", None, lambda: audit.status()["error"]),
        Condition("policy", None, lambda: None, lambda: _policy_state(policies)),
        Condition("cache", None, lambda: None, lambda: {"state": cache.status()["state"]}),
        Condition("local", Zone.LOCAL, lambda: _local_problem(local), lambda: _local_state(local)),
    ]
    for name, backend in remotes.backends.items():
        check = partial(_remote_problem, backend)
        describe = partial(_remote_state, backend, name in remotes.stand_ins)
        conditions.append(Condition(name, backend.spec.zone, check, describe))
    return Health(tuple(conditions))


def _policy_state(policies: FilePolicySource) -> dict[str, Json]:
    """A broken file keeps the old policy in force: worth a warning, no reason to take the replica out."""
    policy = policies.current()
    state: dict[str, Json] = {"name": policy.name, "digest": policy.digest}
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


def _remote_problem(backend: Any) -> str | None:
    ready = getattr(backend, "ready", True)
    return None if ready else "litellm is being imported"


def _remote_state(backend: Any, stand_in: bool) -> dict[str, Json]:
    state: dict[str, Json] = {"model": backend.spec.model}
    return {**state, "note": "stand-in: says what would have been sent, sends nothing"} if stand_in else state


def _metrics(specs: list[BackendSpec], policies: FilePolicySource, detector: Scanner, audit: JsonlAudit) -> Metrics:
    metrics = Metrics(
        version=__version__,
        backends=[spec.name for spec in specs],
        rules=_rules(policies),
        kinds=(),
    )
    metrics.watch("audit_lag_records", "Records waiting for the disk", lambda: audit.status()["lag_records"])
    metrics.watch("audit_commit_age_seconds", "Since records last reached the disk", lambda: _age(audit))
    return metrics


def _age(audit: JsonlAudit) -> float:
    return float(audit.status()["last_commit_age_s"])


def _rules(policies: FilePolicySource) -> list[str]:
    return ["default", *(permit.name for permit in policies.current().permits)]


def _cache_key(secret_: bytes, request: Request, decision: Decision, spec: BackendSpec) -> str:
    return cache_key(
        secret_,
        tenant=request.principal.tenant,
        policy_digest=decision.policy_digest,
        zone=decision.zone,
        backend_digest=spec.digest,
        model=spec.model,
        body=request.body,
    )


def _facts(request: Request, assessment: Assessment) -> dict[str, Json]:
    """What a replay needs, less the tenant's name, which the record holds as a pseudonym."""
    facts = facts_of(request, assessment)
    del facts["tenant"]
    return {**facts, "pack": assessment.pack, "scorer": assessment.scorer}


def _started(specs: list[BackendSpec], policies: FilePolicySource, detector: Scanner) -> AuditRecord:
    """A changed definition of a backend shows as another digest here: changing it is an audited event."""
    backends = [
        {"name": spec.name, "zone": str(spec.zone), "host": spec.host, "model": spec.model, "digest": spec.digest}
        for spec in specs
    ]
    policy = policies.current()
    facts = {
        "version": __version__,
        "backends": backends,
        "policy": policy.name,
        "policy_digest": policy.digest,
        "pack": detector.pack,
    }
    return AuditRecord("started", "", "", "", facts)


def keep_policy(audit: Path, policies: FilePolicySource) -> None:
    """Keep a copy of the policy in force beside the log, so that `gateway why` can decide again under it."""
    policy = policies.current()
    kept = audit / "policies" / f"{policy.digest}.yaml"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_suffix(".tmp")
        shutil.copyfile(policies.path, temporary)
        temporary.replace(kept)


class _PolicyChanges:
    """What follows from a changed policy file, accepted or not: log, audit record, metrics, a copy."""

    def __init__(
        self, policies: FilePolicySource, audit: JsonlAudit, metrics: Metrics, directory: Path, log: Any
    ) -> None:
        self._policies = policies
        self._audit = audit
        self._metrics = metrics
        self._directory = directory
        self._log = log
        self.tasks: anyio.abc.TaskGroup | None = None

    def reload(self) -> None:
        """SIGHUP: look at the file now."""
        before = self._policies.error
        if self._policies.reload() or self._policies.error != before:
            self(self._policies.current().digest, self._policies.error)

    def __call__(self, digest: str, error: str | None) -> None:
        self._metrics.policy_reloaded(accepted=error is None)
        facts: dict[str, Json] = {"policy_digest": digest, "accepted": error is None}
        if error is None:
            policy = self._policies.current()
            self._metrics.know(rules=_rules(self._policies))
            self._log.info("policy_loaded", policy=policy.name, digest=digest)
            keep_policy(self._directory, self._policies)
            facts["policy"] = policy.name
        else:
            facts["error_digest"] = hashlib.sha256(error.encode()).hexdigest()
            self._log.error("policy_refused", problem=error, digest_in_force=digest)
        if self.tasks is not None:
            self.tasks.start_soon(partial(self._audit.write, AuditRecord("policy", "", "", "", facts), durable=False))

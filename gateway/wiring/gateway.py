"""Builds every object of a gateway and owns its life: what runs beside the requests starts and ends here."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import anyio
import structlog

from gateway.api.app import App
from gateway.audit.jsonl import JsonlAudit
from gateway.audit.record import canonical_request
from gateway.cache import SingleFlight, cache_key, open_cache
from gateway.cache.opened import OpenedCache
from gateway.core.errors import AuditUnavailable, ConfigurationError
from gateway.core.parts import Parts
from gateway.core.ports import LocalBackend
from gateway.core.types import BackendSpec, Decision, Request
from gateway.policy.source import FilePolicySource
from gateway.settings import Settings
from gateway.taint import open_taints
from gateway.telemetry import TelemetryObserver
from gateway.traffic import RollingTraffic
from gateway.transform import Guard
from gateway.wiring.backends import Remotes, build_remotes
from gateway.wiring.calibration import build_calibration
from gateway.wiring.cascade import build_cascade
from gateway.wiring.detection import build_detector, build_stack
from gateway.wiring.edge import build_app
from gateway.wiring.local import build_local, local_spec
from gateway.wiring.measures import build_metrics
from gateway.wiring.places import Places, places, secret, shipped_policies
from gateway.wiring.policies import PolicyChanges, keep_policy, vocabulary, warn
from gateway.wiring.readiness import build_health
from gateway.wiring.records import facts, started, stopped
from gateway.wiring.scoring import build_scoring
from gateway.wiring.shadow import build_shadow
from gateway.wiring.shares import watch_shares
from gateway.wiring.spending import build_prices
from gateway.wiring.transforms import build_transforms
from gateway.wiring.warming import Warming


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
async def open_gateway(
    settings: Settings, folder: Path, *, local: LocalBackend | None = None
) -> AsyncGenerator[Gateway, None]:
    """Build and run a gateway until the block is left. Raises ConfigurationError before anything is served.

    `local` takes the place of the engine that the settings name.
    """
    log = structlog.get_logger()
    where = places(settings, folder)
    async with AsyncExitStack() as stack:
        remotes = build_remotes(settings, folder)
        for backend in remotes.backends.values():
            if (close := getattr(backend, "aclose", None)) is not None:
                stack.push_async_callback(close)
        local = local or build_local(settings, folder, log)
        specs = [local_spec(local), *(backend.spec for backend in remotes.backends.values())]
        found = build_stack(settings, folder, where.packs, local, stack)
        calibrated = settings.score.calibration is not None
        policies = FilePolicySource(where.policy, specs, vocabulary(found, calibrated))
        detector = build_detector(found, lambda: policies.current().own, stack)
        audit = JsonlAudit.open(where.audit, where.keys, segment_mb=settings.audit.segment_mb)
        stack.push_async_callback(audit.aclose)
        cache_secret = secret(where.keys / "cache.key")
        cache = _open_cache(settings, cache_secret)
        stack.push_async_callback(cache.aclose)
        taints = open_taints(
            settings.taint.url,
            ttl_s=settings.taint.ttl_s,
            secret=secret(where.keys / "taint.key"),
            max_mb=settings.taint.max_mb,
            log=log,
        )
        stack.push_async_callback(taints.aclose)
        metrics = build_metrics(specs, policies.current(), found.kinds, audit, taints, local)
        calibration = build_calibration(settings, folder)
        traffic = RollingTraffic(calibration.quantiles if calibration else None)
        watch_shares(metrics, settings, traffic.shares)
        scorer, staying = build_scoring(specs[0], local, traffic)
        warming = Warming(remotes.litellm, log)
        parts = Parts(
            detector=detector,
            scorer=scorer,
            policies=policies,
            local=local,
            remotes=remotes.backends,
            audit=audit,
            observer=TelemetryObserver(metrics, log),
            cache=None if cache.status()["kind"] == "off" else cache,
            flight=SingleFlight(),
            cache_key=partial(_cache_key, cache_secret),
            canonical=canonical_request,
            facts=facts,
            transforms=build_transforms(detector, local, secret(where.keys / "placeholders.key")),
            taints=taints,
            guard=Guard(detector),
            traffic=staying,
            cascade=build_cascade(settings, calibration),
            prices=build_prices(settings),
        )
        backends = [*remotes.backends.values()]
        health = build_health(policies, audit, cache, taints, local, backends, remotes.stand_ins, warming)
        shadow = build_shadow(settings, folder, parts, metrics, log)
        app = build_app(settings, replace(parts, shadow=shadow), specs, metrics, health, log)
        await _begin(audit, specs, policies, detector.pack, where)
        if where.policy.parent != shipped_policies():  # what ours wait for is known, and stands in `/readyz`
            warn(log, policies.current())
        async with anyio.create_task_group() as tasks:
            changes = PolicyChanges(policies, audit, metrics, where.audit / "policies", tasks, log)
            if settings.policy.watch_s:
                tasks.start_soon(policies.watch, settings.policy.watch_s, changes)
            _run_beside(tasks, local, remotes, warming, cache)
            tasks.start_soon(taints.warm)
            if shadow is not None:
                tasks.start_soon(shadow.run)
            yield Gateway(app, policies, changes.reload, where, remotes.stand_ins, specs[0])
            tasks.cancel_scope.cancel()
        with suppress(AuditUnavailable):  # a disk that is gone must not turn a stop into a crash
            await audit.write(stopped())


def _open_cache(settings: Settings, cache_secret: bytes) -> OpenedCache:
    cache = settings.cache
    return open_cache(
        cache.url, ttl_s=cache.ttl_s, secret=cache_secret, share_local=cache.share_local, max_mb=cache.max_mb
    )


async def _begin(
    audit: JsonlAudit, specs: list[BackendSpec], policies: FilePolicySource, pack: str, where: Places
) -> None:
    policy = policies.current()
    try:
        await audit.write(started(specs, policy, pack))
    except AuditUnavailable as error:
        raise ConfigurationError(f"audit.dir {str(where.audit)!r}: {error}") from None
    keep_policy(where.audit / "policies", policy, policies.path)


def _run_beside(
    tasks: anyio.abc.TaskGroup, local: LocalBackend | None, remotes: Remotes, warming: Warming, cache: OpenedCache
) -> None:
    if (run := getattr(local, "run", None)) is not None:
        tasks.start_soon(run)
    for name in remotes.litellm:
        tasks.start_soon(warming.warm, remotes.backends[name])
    tasks.start_soon(cache.warm)


def _cache_key(secret_: bytes, request: Request, decision: Decision, spec: BackendSpec) -> str:
    return cache_key(
        secret_,
        tenant=request.principal.tenant,
        policy_digest=decision.policy_digest,
        zone=decision.zone,
        backend_digest=spec.digest,
        model=spec.model,
        adapter=decision.adapter,
        body=request.body,
    )

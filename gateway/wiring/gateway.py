"""A gateway that runs: what runs beside the requests starts and ends here."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import anyio
import structlog

from gateway.api.app import App
from gateway.core.errors import AuditUnavailable, ConfigurationError
from gateway.core.ports import LocalBackend
from gateway.core.types import BackendSpec
from gateway.policy.source import FilePolicySource
from gateway.settings import Settings
from gateway.wiring.build import Built, build
from gateway.wiring.places import Places, shipped_policies
from gateway.wiring.policies import PolicyChanges, keep_policy, warn
from gateway.wiring.records import started, stopped


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
    settings: Settings, folder: Path, *, local: LocalBackend | None = None, remembers: bool = True
) -> AsyncGenerator[Gateway, None]:
    """Build and run a gateway until the block is left. Raises ConfigurationError before anything is served.

    `local` takes the place of the engine that the settings name. Without `remembers` traffic is counted from nothing
    and forgotten: what a command asks is nobody's daily work.
    """
    log = structlog.get_logger()
    async with AsyncExitStack() as stack:
        built = build(settings, folder, local, stack, log)
        policies, audit, where = built.policies, built.stores.audit, built.where
        await _begin(built)
        if remembers:
            built.kept_traffic.restore(settings)
        if where.policy.parent != shipped_policies():  # what ours wait for is known, and stands in `/readyz`
            warn(log, policies.current())
        async with anyio.create_task_group() as tasks:
            changes = PolicyChanges(policies, audit, built.metrics, where.audit / "policies", tasks, log)
            if settings.policy.watch_s:
                tasks.start_soon(policies.watch, settings.policy.watch_s, changes)
            _run_beside(tasks, built)
            if remembers:
                tasks.start_soon(built.kept_traffic.run)
            yield Gateway(built.app, policies, changes.reload, where, built.ends.remotes.stand_ins, built.ends.specs[0])
            tasks.cancel_scope.cancel()
        if remembers:
            await built.kept_traffic.save()
        with suppress(AuditUnavailable):  # a disk that is gone must not turn a stop into a crash
            await audit.write(stopped())


async def _begin(built: Built) -> None:
    """The start is on record before anything is served, with the policy that it began under."""
    policy, where = built.policies.current(), built.where
    try:
        await built.stores.audit.write(started(built.ends.specs, policy, built.pack))
    except AuditUnavailable as error:
        raise ConfigurationError(f"audit.dir {str(where.audit)!r}: {error}") from None
    keep_policy(where.audit / "policies", policy, built.policies.path)


def _run_beside(tasks: anyio.abc.TaskGroup, built: Built) -> None:
    remotes = built.ends.remotes
    if (run := getattr(built.ends.local, "run", None)) is not None:
        tasks.start_soon(run)
    for name in remotes.litellm:
        tasks.start_soon(built.warming.warm, remotes.backends[name])
    tasks.start_soon(built.warm_scorer)
    tasks.start_soon(built.stores.cache.warm)
    tasks.start_soon(built.stores.taints.warm)
    if built.shadow is not None:
        tasks.start_soon(built.shadow.run)

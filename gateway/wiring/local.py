"""The engine on this host as configured, and the place called local where there is none."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.backends.canned import CannedLocal
from gateway.core.ports import LocalBackend
from gateway.core.types import BackendSpec, Zone
from gateway.settings import Settings
from gateway.wiring.catalogue import canned_spec

if TYPE_CHECKING:
    from gateway.engine.files.adapters import AdapterFile
    from gateway.engine.supervisor import Status


def build_local(settings: Settings, folder: Path, log: Any) -> LocalBackend | None:
    """The engine, not started. llama.cpp itself is loaded later, in the engine's own process."""
    if settings.local.engine == "off":
        return None
    if settings.local.engine == "canned":
        return CannedLocal(canned_spec(settings))
    from gateway.engine.files.catalogue import find
    from gateway.engine.local import LocalEngine
    from gateway.engine.options import EngineOptions
    from gateway.engine.tuning.threads import threads_for

    local = settings.local
    model = find(local.model, sha256=local.sha256, base=folder)
    return LocalEngine(
        model,
        EngineOptions(
            context=local.context,
            threads=threads_for(model) if local.threads == "auto" else local.threads,
            isolation=local.isolation,
            start_wait_s=local.start_wait_s,
            parallel=None if local.parallel == "auto" else local.parallel,
            queue=local.queue,
            wait_s=local.wait_s,
            answer_s=local.answer_s,
            context_overflow=local.context_overflow,
            keep_s=local.keep_s,
            share=share(settings),
            languages=local.languages,
            system_prompt=local.system_prompt,
            max_tokens=local.max_tokens,
            encode=local.encode,
            adapters=adapters(settings, folder),
        ),
        changed=partial(_tell, log),
    )


def adapters(settings: Settings, folder: Path) -> tuple[AdapterFile, ...]:
    """Those configured, each with the digest of its content. Raises ConfigurationError for a missing or other file."""
    from gateway.engine.files.adapters import AdapterFile, verified

    return tuple(
        verified(AdapterFile(given.name, folder / given.path.expanduser(), given.sha256, given.scale))
        for given in settings.local.adapters
    )


def share(settings: Settings) -> int:
    """How many requests of one tenant may wait: half of the queue, or all of it where there is no other tenant."""
    queue = settings.local.queue
    tenants = {key.tenant for key in settings.auth.keys} if settings.auth.mode == "keys" else set()
    return max(1, queue // 2) if len(tenants) > 1 else queue


def local_spec(local: LocalBackend | None) -> BackendSpec:
    """Without an engine there is still a place called local: what must stay there gets a clear 503."""
    return BackendSpec("local", Zone.LOCAL, "off", "local") if local is None else local.spec


def _tell(log: Any, status: Status) -> None:
    """The engine started, died or gave up."""
    write = log.info if str(status.state) in {"ready", "stopped"} else log.warning
    write("local_engine", state=str(status.state), reason=status.reason)

"""What follows from a changed policy file, accepted or not: log, audit record, metrics, a copy beside the log."""

from __future__ import annotations

import hashlib
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from gateway.audit.jsonl import JsonlAudit
from gateway.core.errors import AuditUnavailable, ConfigurationError
from gateway.core.records import AuditRecord
from gateway.core.types import DERIVED, Json
from gateway.detect.worded import Worded
from gateway.policy.doubts import Vocabulary
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.load import load_policy
from gateway.policy.source import FilePolicySource
from gateway.telemetry import Metrics
from gateway.wiring.measures import own_kinds, rules


def vocabulary(detector: Worded, calibrated: bool | None = None) -> Vocabulary:
    """Every word that the detectors can say, and what is said where an answer comes back."""
    return Vocabulary(
        kinds=detector.kinds.union(DERIVED.values()),
        categories=detector.categories,
        contexts=detector.contexts,
        calibrated=calibrated,
    )


def warn(log: Any, policy: CompiledPolicy) -> None:
    """Say what may not mean what its author thinks: nobody reads `gateway check` while a file is reloaded."""
    for problem in policy.warnings:
        log.warning("policy_warning", policy=policy.name, problem=problem)


def keep_policy(directory: Path, policy: CompiledPolicy, source: Path) -> bool:
    """Keep a copy of `policy` in `directory`, so that `gateway why` can decide again under it. True when it is there.

    The file may have changed again since it was loaded: a copy that is not this policy is no copy of it.
    """
    kept = directory / f"{policy.digest}.yaml"
    temporary = kept.with_suffix(".tmp")
    try:
        if kept.exists():
            return True
        directory.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, temporary)
        if load_policy(temporary, policy.catalogue.backends).digest != policy.digest:
            return False
        temporary.replace(kept)
    except (OSError, ConfigurationError):
        return False
    else:
        return True
    finally:
        with suppress(OSError):
            temporary.unlink()


class PolicyChanges:
    """Nothing that goes wrong here may end the gateway: the policy in force serves on, whatever cannot be noted."""

    def __init__(
        self,
        policies: FilePolicySource,
        audit: JsonlAudit,
        metrics: Metrics,
        directory: Path,
        tasks: anyio.abc.TaskGroup,
        log: Any,
    ) -> None:
        self._policies = policies
        self._audit = audit
        self._metrics = metrics
        self._directory = directory
        self._tasks = tasks
        self._log = log

    def reload(self) -> None:
        """SIGHUP: look at the file now."""
        before = self._policies.error
        if self._policies.reload() or self._policies.error != before:
            self(self._policies.current().digest, self._policies.error)

    def __call__(self, digest: str, error: str | None) -> None:
        policy = self._policies.current()
        self._metrics.policy_reloaded(accepted=error is None)
        facts: dict[str, Json] = {"policy": policy.name, "policy_digest": digest, "accepted": error is None}
        if error is None:
            self._metrics.know(rules=rules(policy), kinds=own_kinds(policy))
            self._log.info("policy_loaded", policy=policy.name, digest=digest)
            warn(self._log, policy)
        else:
            facts["error_digest"] = hashlib.sha256(error.encode()).hexdigest()
            self._log.error("policy_refused", problem=error, digest_in_force=digest)
        self._tasks.start_soon(self._note, policy, facts)

    async def _note(self, policy: CompiledPolicy, facts: dict[str, Json]) -> None:
        if not await anyio.to_thread.run_sync(keep_policy, self._directory, policy, self._policies.path):
            self._log.warning("policy_not_kept", digest=policy.digest)
        try:
            await self._audit.write(AuditRecord("policy", "", "", "", facts), durable=False)
        except AuditUnavailable:
            self._log.error("policy_change_not_recorded", digest=policy.digest)

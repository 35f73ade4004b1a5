"""Keeps what is counted of each tenant in the audit folder, so that targets and caps go on after a restart.

That folder is one gateway's alone and writable wherever the gateway runs; the file is no evidence, and nobody's loss.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread

from gateway.calibrate.prior import scorer_digest
from gateway.score.calibration import Calibration
from gateway.settings import Settings
from gateway.traffic import RollingTraffic, kept

NAME = "traffic.json"
EVERY_S = 60.0
"""What a crash may lose."""


def scores_by(settings: Settings, calibration: Calibration | None) -> str:
    """What the scores that are kept were made by: with anything else they are not to be compared."""
    return f"{scorer_digest()}+{calibration.digest if calibration else 'none'}+{settings.score.encoder}"


class KeptTraffic:
    """Each gateway keeps its own. What cannot be read or written is told to the log, and costs nothing else."""

    def __init__(
        self, traffic: RollingTraffic, audit: Path, scorer: str, pseudonym: Callable[[str], str], log: Any
    ) -> None:
        self._traffic = traffic
        self._path = audit / NAME
        self._scorer = scorer
        self._pseudonym = pseudonym
        self._log = log
        self._written = 0
        self._failed = False

    def restore(self, settings: Settings) -> None:
        """Before the first request. A tenant that the settings know no longer is forgotten."""
        names = {"default", *(key.tenant for key in settings.auth.keys)}
        try:
            for name, tenant in kept.read(self._path, self._scorer, names, self._pseudonym):
                self._traffic.tenants.put(name, tenant)
        except FileNotFoundError:
            return
        except (OSError, kept.Damaged) as error:
            problem = str(error) if isinstance(error, kept.Damaged) else type(error).__name__
            self._log.warning("traffic_not_restored", path=str(self._path), problem=problem)

    async def run(self) -> None:
        while True:
            await anyio.sleep(EVERY_S)
            await self.save()

    async def save(self) -> None:
        """Nothing where nothing was counted. Tenant by tenant, so that requests go on meanwhile."""
        counted = self._traffic.counted
        if counted == self._written:
            return
        told = {}
        for name, tenant in self._traffic.tenants:
            told[self._pseudonym(name)] = kept.numbers(tenant)
            await anyio.lowlevel.checkpoint()
        try:
            await anyio.to_thread.run_sync(kept.write, self._path, self._scorer, told)
        except OSError as error:
            if not self._failed:
                self._log.warning("traffic_not_kept", path=str(self._path), problem=type(error).__name__)
            self._failed = True
        else:
            self._written, self._failed = counted, False

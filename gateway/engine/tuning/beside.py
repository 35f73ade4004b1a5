"""What other programs had of this machine while something was measured."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path


class Beside:
    """Counts from its making on."""

    def __init__(self, stat: Path = Path("/proc/stat"), clock: Callable[[], float] = time.monotonic) -> None:
        self._stat = stat
        self._clock = clock
        self._began, self._before = clock(), self._others_s()

    def share(self) -> float:
        """Of all processors: 0.1 = a tenth of their time. 0 where the system does not say."""
        before, now, took = self._before, self._others_s(), self._clock() - self._began
        if before is None or now is None or took <= 0:
            return 0.0
        return max(0.0, (now - before) / (took * (os.cpu_count() or 1)))

    def _others_s(self) -> float | None:
        """Processor time of all that is neither this process nor a child of it that has ended."""
        try:
            user, nice, system, _, _, irq, softirq, steal = map(int, self._stat.read_text().split()[1:9])
        except (OSError, ValueError):
            return None
        # What a hypervisor took away counts: it is as lost to what is measured here as what a neighbour takes.
        busy = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
        return busy - sum(os.times()[:4])

"""What this machine, or the container on it, has to give: memory and cores."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MOST_THREADS = 512
"""ggml takes no more, whatever the machine has."""
_CGROUP = Path("/sys/fs/cgroup")


def available_bytes(meminfo: Path = Path("/proc/meminfo"), cgroup: Path = _CGROUP) -> int | None:
    """The lesser of the machine's available memory and what a container's limit leaves; None where nobody says."""
    figures = [figure for figure in (_machine(meminfo), _container(cgroup)) if figure is not None]
    return min(figures, default=None)


def _machine(meminfo: Path) -> int | None:
    try:
        for line in meminfo.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        return _physical()
    return _physical()


def _physical() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (OSError, ValueError):
        return None


def _container(cgroup: Path) -> int | None:
    try:
        limit = (cgroup / "memory.max").read_text().strip()
        used = int((cgroup / "memory.current").read_text())
        return None if limit == "max" else max(0, int(limit) - used)
    except (OSError, ValueError):
        return None


def physical_cores(cpuinfo: Path = Path("/proc/cpuinfo"), cgroup: Path = _CGROUP) -> int:
    """Cores for computing: hyper-threads do not count, a container's quota does."""
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    cores = _cores_of_mac() if sys.platform == "darwin" else _cores_of_linux(cpuinfo)
    return max(1, min(usable, cores or usable, _quota(cgroup) or usable))


def _cores_of_linux(cpuinfo: Path) -> int | None:
    cores: set[tuple[str, str]] = set()
    socket = ""
    try:
        for line in cpuinfo.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "physical id":
                socket = value
            elif name.strip() == "core id":
                cores.add((socket, value))
    except OSError:
        return None
    return len(cores) or None


def _cores_of_mac() -> int | None:
    # The efficiency cores would hold the fast ones up at every barrier.
    for name in ("hw.perflevel0.physicalcpu", "hw.physicalcpu"):
        try:
            asked = subprocess.run(["/usr/sbin/sysctl", "-n", name], capture_output=True, check=True, timeout=5)  # noqa: S603
            return int(asked.stdout)
        except (OSError, ValueError, subprocess.SubprocessError):
            continue
    return None


def _quota(cgroup: Path) -> int | None:
    try:
        quota, period = (cgroup / "cpu.max").read_text().split()
        return None if quota == "max" else max(1, int(quota) // int(period))
    except (OSError, ValueError):
        return None

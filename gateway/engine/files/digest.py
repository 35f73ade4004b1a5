"""SHA-256 of big files, and a memory of files already hashed so that a start does not read them twice."""

from __future__ import annotations

import contextlib
import hashlib
import os
from pathlib import Path

import orjson

from gateway.engine.files.places import cache_dir

_ENTRIES = 64


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def known_sha256_of(path: Path, memory: Path | None = None) -> str:
    """The file's digest, out of the memory while size, time and inode are those that were hashed.

    The memory lies in the user's own cache: whoever can write there can replace this program too.
    """
    memory = memory or cache_dir() / "verified.json"
    about = path.stat()
    key = f"{path.resolve()}|{about.st_size}|{about.st_mtime_ns}|{about.st_ino}"
    entries = _read(memory)
    if key in entries:
        return entries[key]
    digest = sha256_of(path)
    entries[key] = digest
    _write(memory, dict(list(entries.items())[-_ENTRIES:]))
    return digest


def _read(memory: Path) -> dict[str, str]:
    try:
        entries = orjson.loads(memory.read_bytes())
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in entries.items()} if isinstance(entries, dict) else {}


def _write(memory: Path, entries: dict[str, str]) -> None:
    # A cache that cannot be written costs a second at the next start and nothing else.
    with contextlib.suppress(OSError):
        memory.parent.mkdir(parents=True, exist_ok=True)
        written = memory.with_suffix(f".{os.getpid()}")
        written.write_bytes(orjson.dumps(entries))
        written.replace(memory)

"""Small things worth remembering between starts, by a key, in the user's cache: the latest of them, and no more."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import orjson

_MOST = 64


def read_notes(file: Path) -> dict[str, Any]:
    """Nothing where there is no such file, or a damaged one."""
    try:
        notes = orjson.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return notes if isinstance(notes, dict) else {}


def note(file: Path, key: str, value: Any) -> bool:
    """Write it down as the latest. False where the cache cannot be written, which must cost no more than time."""
    notes = read_notes(file)
    notes.pop(key, None)
    notes[key] = value
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        written = file.with_suffix(f".{os.getpid()}")
        written.write_bytes(orjson.dumps(dict(list(notes.items())[-_MOST:])))
        written.replace(file)
        return True
    return False

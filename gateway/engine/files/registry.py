"""`models.json`: the models an operator added, one file per models folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import orjson

from gateway.core.errors import ConfigurationError

FILE = "models.json"


@dataclass(frozen=True, slots=True)
class Registered:
    """What `gateway models pull` wrote down about one model."""

    path: str
    sha256: str
    context: int = 0
    languages: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""
    """URL without user, query or fragment: those may hold a token."""


def read_registry(folder: Path) -> Mapping[str, Registered]:
    """What is registered in this folder; nothing when there is no registry."""
    file = folder / FILE
    try:
        raw = file.read_bytes()
    except OSError:
        return {}
    try:
        entries = orjson.loads(raw)
        return {
            name: Registered(**{**entry, "languages": tuple(entry.get("languages", ()))})
            for name, entry in entries.items()
        }
    except (TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{str(file)!r} is not a model registry; repair or delete it") from error


def register(folder: Path, name: str, model: Registered) -> None:
    """Add or replace one model. The registry is replaced whole, so a reader never sees half of it."""
    folder.mkdir(parents=True, exist_ok=True)
    entries = {known: asdict(entry) for known, entry in read_registry(folder).items()}
    entries[name] = asdict(model)
    written = folder / f".{FILE}.{os.getpid()}"
    written.write_bytes(orjson.dumps(entries, option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS))
    written.replace(folder / FILE)

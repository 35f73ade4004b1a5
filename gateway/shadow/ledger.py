"""What was measured and what it cost: one line of numbers each, which `gateway calibrate` reads. No text, no names."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import orjson

from gateway.core.types import Json

MOST_BYTES = 8 * 1_048_576
"""Then the file is put aside as `….1`, and the one put aside before is forgotten."""


@dataclass(frozen=True, slots=True)
class Row:
    at: float
    """Seconds since the epoch."""
    family: str
    language: str | None
    local: str
    """The local model, and the digest of its definition, as in the audit log."""
    local_digest: str
    backend: str
    backend_digest: str
    gain: float | None
    """As it was scored when it was answered here."""
    agreement: float | None
    """None where the backend gave no answer and was paid all the same."""
    usd: float
    tenant: str = ""
    """By its pseudonym in the audit log; empty where it was not written down, as it once was not."""


class Ledger:
    """Appends rows and knows what was spent since midnight, UTC. A restart does not give the day's budget back."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._day = ""
        self._spent = 0.0

    def spent_today(self) -> float:
        day = _day(self._clock())
        if day != self._day:
            self._day, self._spent = day, sum(row.usd for row in read(self._path) if _day(row.at) == day)
        return self._spent

    def add(self, row: Row) -> None:
        """Raises OSError; what was spent counts all the same."""
        self._spent = self.spent_today() + row.usd
        self._path.parent.mkdir(parents=True, exist_ok=True)
        if self._path.exists() and self._path.stat().st_size > MOST_BYTES:
            self._path.replace(_aside(self._path))
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(descriptor, "ab+") as file:
            file.write((b"\n" if _is_cut(file) else b"") + orjson.dumps(asdict(row)) + b"\n")


def read(path: Path) -> Iterator[Row]:
    """Every row that is whole, oldest first. A crash may have cut the last one; a stranger's line is passed over."""
    names = {field.name for field in fields(Row)}
    needed = names - {"tenant"}
    for file in (_aside(path), path):
        try:
            lines = file.read_bytes().splitlines()
        except OSError:
            continue
        for line in lines:
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError:
                continue
            if isinstance(row, dict) and needed <= row.keys() <= names and _is_whole(row):
                yield Row(**row)


def _aside(path: Path) -> Path:
    return path.with_name(path.name + ".1")


def _is_cut(file: IO[bytes]) -> bool:
    """Whether a crash cut off the last line: the next row must not go under with it."""
    if not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _is_whole(row: dict[str, Json]) -> bool:
    named = ("family", "local", "local_digest", "backend", "backend_digest")
    words = (row.get("tenant", ""), *(row[name] for name in named))
    chances = (row["gain"], row["agreement"])
    return (
        all(isinstance(word, str) for word in words)
        and isinstance(row["language"], str | None)
        and _is(row["usd"])
        and _is(row["at"])
        and all(chance is None or _is(chance) for chance in chances)
    )


def _is(number: Json) -> bool:
    return isinstance(number, int | float) and 0 <= number < 1e11


def _day(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).date().isoformat()

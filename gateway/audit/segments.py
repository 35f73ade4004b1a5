"""The files of a log: segments, named after their first record's sequence number so that names sort by sequence."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from gateway.audit.record import LINE_LIMIT

SUFFIX = ".jsonl"
PUBLIC_KEY = "public.pem"
LOCK = "lock"


class RawLine(NamedTuple):
    """One line of a segment as it lies on disk."""

    segment: Path
    raw: bytes
    """Without the newline."""
    whole: bool
    """False for a last line without its newline."""
    end: int
    """Offset in the segment of the byte after it."""


def name(first: int) -> str:
    return f"{first:012d}{SUFFIX}"


def first(segment: Path) -> int:
    """Sequence number that a segment's name promises; −1 for a file that is no segment of ours."""
    return int(segment.stem) if segment.stem.isdecimal() else -1


def segments(directory: Path) -> list[Path]:
    return sorted(directory.glob(f"*{SUFFIX}"))


def lines(segment: Path, offset: int = 0) -> Iterator[RawLine]:
    """Every line from `offset` on, an unfinished last one included. One line is in memory at a time."""
    with segment.open("rb") as file:
        file.seek(offset)
        while raw := file.readline(LINE_LIMIT):
            whole = raw.endswith(b"\n")
            yield RawLine(segment, raw[:-1] if whole else raw, whole, file.tell())
            if not whole:
                return

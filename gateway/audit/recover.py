"""What a gateway that starts finds at the end of its log, and whether it may go on from there.

A killed process or a power cut leaves records that were written and not yet signed, and perhaps half a line. Those
records are kept if they continue the chain, what is no record is cut off, and both are said in a `recovered` record.
A log that is shorter than its head, or signed by someone else, is evidence of something that a start must not paper
over: it is refused.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import orjson

from gateway.audit import head as heads
from gateway.audit.head import Head
from gateway.audit.keys import PublicKey
from gateway.audit.record import LINE_LIMIT, NO_PREVIOUS, digest, link
from gateway.audit.segments import first, lines, name, segments
from gateway.core.errors import ConfigurationError

_STEP = 64 * 1024


@dataclass(frozen=True, slots=True)
class Tail:
    """Where the next record goes."""

    segment: Path
    size: int
    """Length of the segment once what is no record has been cut off."""
    seq: int
    digest: str
    unsigned: int = 0
    """Records after the head that continue the chain."""
    cut: int = 0
    """Bytes after them that do not."""


def find_tail(directory: Path, key: PublicKey) -> Tail | None:
    """The end of the log in `directory`, or None for an empty directory. Raises ConfigurationError, OSError."""
    found = segments(directory)
    path = directory / heads.NAME
    raw = path.read_bytes() if path.exists() else b""
    if not raw:
        return _interrupted_first_start(directory, found) if found else None
    signed = heads.parse(raw)
    if signed is None:
        _refuse(directory, "its head is damaged")
    if not signed.signed_by(key):
        _refuse(directory, "its head was signed with another key, or changed")
    return _beyond(directory, found, signed.head)


def _beyond(directory: Path, found: list[Path], head: Head) -> Tail:
    """Check the line that the head signs, then whatever follows it."""
    segment = directory / head.segment
    if segment not in found or segment.stat().st_size < head.length:
        _refuse(directory, f"its head signs {head.seq} records and the log is cut off before that")
    if digest(_line_before(segment, head.length)) != head.digest:
        _refuse(directory, f"record {head.seq} is not the one that its head signs")
    tail = _follow(Tail(segment, head.length, head.seq, head.digest))
    for later in found[found.index(segment) + 1 :]:
        if tail.cut or first(later) != tail.seq + 1:
            _refuse(directory, f"segment {later.name!r} does not follow record {tail.seq}")
        tail = _follow(Tail(later, 0, tail.seq, tail.digest, unsigned=tail.unsigned))
    return tail


def _follow(tail: Tail) -> Tail:
    """Go on from `tail` to the end of its segment."""
    seq, last, size = tail.seq, tail.digest, tail.size
    for line in lines(tail.segment, tail.size):
        if not line.whole or link(line.raw) != (seq + 1, last):
            break
        seq, last, size = seq + 1, digest(line.raw), line.end
    unsigned = tail.unsigned + seq - tail.seq
    return Tail(tail.segment, size, seq, last, unsigned, cut=tail.segment.stat().st_size - size)


def _interrupted_first_start(directory: Path, found: list[Path]) -> Tail:
    """A log without a head is a first start that was killed, with at most the genesis record written."""
    tail = _follow(Tail(found[0], 0, 0, NO_PREVIOUS))
    if len(found) > 1 or found[0].name != name(1) or tail.seq > 1:
        _refuse(directory, "its head is missing")
    return Tail(tail.segment, 0, 0, NO_PREVIOUS, cut=tail.segment.stat().st_size)


def _line_before(segment: Path, end: int) -> bytes:
    """The line whose newline is the byte before `end`."""
    with segment.open("rb") as file:
        for length in range(_STEP, LINE_LIMIT + _STEP, _STEP):
            start = max(0, end - length)
            file.seek(start)
            block = file.read(end - start)
            newline = block.rfind(b"\n", 0, -1)
            if newline >= 0 or start == 0:
                return block[newline + 1 : -1] if block.endswith(b"\n") else b""
    return b""


def day_of(segment: Path) -> str:
    """The UTC day of a segment's first record, or '' where there is none to read."""
    for line in lines(segment):
        with contextlib.suppress(orjson.JSONDecodeError, KeyError, TypeError):
            return str(orjson.loads(line.raw)["ts"])[:10]
        break
    return ""


def _refuse(directory: Path, why: str) -> NoReturn:
    raise ConfigurationError(
        f"the audit log in {str(directory)!r} cannot be continued: {why}; `gateway audit verify` says more, "
        "and moving the directory aside starts a new log"
    )

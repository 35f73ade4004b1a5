"""Names what is wrong with a log, from the number and the `prev` of the first line that does not fit.

A record that was altered, removed, moved or copied leaves its own mark: the numbers say what should stand here, and the
hashes say which of two neighbours is the one that was touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.audit.head import Head
from gateway.audit.record import NO_PREVIOUS, Link, digest, link
from gateway.audit.segments import RawLine, lines, segments


class Problem(Exception):
    """The first thing that is wrong, in one sentence."""

    def __init__(self, kind: str, sequence: int | None, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sequence = sequence


@dataclass(frozen=True, slots=True)
class Position:
    """How far the log has been found in order."""

    directory: Path
    seq: int = 0
    digest: str = NO_PREVIOUS
    where: str = "the start of the log"

    def after(self, line: RawLine) -> Position:
        return Position(self.directory, self.seq + 1, digest(line.raw), at(line))


def misplaced(position: Position, line: RawLine, where: Link, target: Head) -> Problem:
    """`line` is not what should come next. Its number and its `prev` tell how it got there."""
    expected = position.seq + 1
    if where.prev == position.digest:
        return Problem("altered", expected, f"record {expected} was altered: it says it is {where.seq} ({at(line)})")
    if where.seq < expected:
        return _repeated(position, line, where)
    if where.seq > expected:
        return _gap(position, line, where)
    # Right number, wrong `prev`: either the line before was altered, or this one. If what comes next agrees with
    # this line as it stands, this line is whole and the one before is not.
    if expected > 1 and _confirmed(position, line, target):
        return Problem(
            "altered",
            position.seq,
            f"record {position.seq} was altered: record {expected} names another hash for it ({position.where})",
        )
    return Problem("altered", expected, f"record {expected} was altered ({at(line)})")


def _repeated(position: Position, line: RawLine, where: Link) -> Problem:
    return Problem(
        "repeated", where.seq, f"record {where.seq} stands a second time, after record {position.seq} ({at(line)})"
    )


def _gap(position: Position, line: RawLine, where: Link) -> Problem:
    expected = position.seq + 1
    for later in _after(position, line):
        found = link(later.raw)
        if found is not None and found.seq == expected:
            sentence = f"record {expected} stands after record {where.seq} ({at(later)}) and belongs before it"
            return Problem("reordered", expected, sentence)
    gone = f"record {expected} is" if where.seq == expected + 1 else f"records {expected} to {where.seq - 1} are"
    between = f"between {position.where} and {at(line)}"
    return Problem("missing", expected, f"{gone} missing {between}")


def _confirmed(position: Position, line: RawLine, target: Head) -> bool:
    if position.seq + 1 == target.seq:
        return digest(line.raw) == target.digest
    following = next(_after(position, line), None)
    where = link(following.raw) if following is not None else None
    return where is not None and where.prev == digest(line.raw)


def cut_off(position: Position, target: Head) -> Problem:
    whole = "" if (position.directory / target.segment).exists() else f"; segment {target.segment} is gone"
    return Problem(
        "cut_off", position.seq + 1, f"the head signs {target.seq} records and the log ends after {position.seq}{whole}"
    )


def beyond(position: Position, line: RawLine, target: Head) -> Problem:
    """Something stands after the last signed record, and no head is going to cover it."""
    place = f"after record {target.seq}, the last one signed"
    where = link(line.raw) if line.whole else None
    if not line.whole:
        return Problem("cut_off", position.seq + 1, f"half a record stands {place}: the writer was interrupted")
    if where is not None and where.seq <= position.seq and where.prev != position.digest:
        return _repeated(position, line, where)
    return Problem(
        "unsigned",
        position.seq + 1,
        f"unsigned records stand {place}: added by someone without the key, or by a gateway that was killed "
        "and will check and sign them when it starts again",
    )


def _after(position: Position, line: RawLine) -> Iterator[RawLine]:
    yield from lines(line.segment, line.end)
    for segment in segments(position.directory):
        if segment > line.segment:
            yield from lines(segment)


def at(line: RawLine) -> str:
    return f"{line.segment.name}, byte {line.end - len(line.raw) - line.whole}"

"""Real logs on disk, small enough to be taken apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateway.audit import head as heads
from gateway.audit.keys import Keys
from gateway.audit.log import Log
from gateway.audit.record import Members, digest, encode, line, link
from gateway.audit.segments import lines, segments
from gateway.core.records import AuditRecord


@dataclass
class Evidence:
    """A finished log and the hands of someone who wants to change it."""

    directory: Path
    keys: Keys

    @property
    def head(self) -> Path:
        return self.directory / heads.NAME

    def segments(self) -> list[Path]:
        return segments(self.directory)

    def place(self, seq: int) -> tuple[Path, int]:
        """Segment and index in it of a record."""
        for segment in self.segments():
            for index, raw in enumerate(self.raw(segment)):
                found = link(raw)
                if found is not None and found.seq == seq:
                    return segment, index
        raise AssertionError(f"no record {seq}")

    def raw(self, segment: Path) -> list[bytes]:
        return [line.raw for line in lines(segment)]

    def rewrite(self, segment: Path, raw: list[bytes]) -> None:
        segment.write_bytes(b"".join(line + b"\n" for line in raw))

    def change(self, seq: int, edit: Callable[[list[bytes], int], None]) -> None:
        """Let `edit` do something to the lines of the segment that holds record `seq`."""
        segment, index = self.place(seq)
        raw = self.raw(segment)
        edit(raw, index)
        self.rewrite(segment, raw)

    def last(self) -> bytes:
        return self.raw(self.segments()[-1])[-1]

    def forge(self, event: str = "outcome") -> None:
        """Append a record as good as one can without the key."""
        last = self.last()
        before = link(last)
        assert before is not None
        with self.segments()[-1].open("ab") as file:
            file.write(line(before.seq + 1, encode(members(event)), digest(last)) + b"\n")

    def sign(self, keys: Keys) -> None:
        """Put a head on the log as it stands."""
        segment = self.segments()[-1]
        found = link(self.last())
        assert found is not None
        head = heads.Head(
            found.seq, digest(self.last()), segment.name, segment.stat().st_size, "2026-01-01T00:00:00.000Z"
        )
        self.head.write_bytes(heads.seal(head, keys))


def members(event: str, number: int = 0) -> Members:
    facts = {"level": "internal", "zone": "local", "number": number, "kinds": {"iban": 1}}
    return Members("2026-01-01T00:00:00.000Z", event, f"request-{number}", "a" * 32, "b" * 32, "c" * 64, facts)


@pytest.fixture
def keys(tmp_path: Path) -> Keys:
    return Keys.load(tmp_path / "keys", create=True)


@pytest.fixture
def other_keys(tmp_path: Path) -> Keys:
    return Keys.load(tmp_path / "other-keys", create=True)


@pytest.fixture
def evidence(tmp_path: Path, keys: Keys) -> Evidence:
    """20 records in several segments of four or five."""
    log = Log.open(tmp_path / "audit", keys, segment_bytes=1800)
    for number in range(1, 20):
        log.append([encode(members("decided", number))])
    log.close()
    made = Evidence(tmp_path / "audit", keys)
    assert len(made.segments()) >= 4
    return made


@pytest.fixture
def record() -> Callable[..., AuditRecord]:
    def make(number: int = 0, event: str = "decided", **facts: object) -> AuditRecord:
        return AuditRecord(
            event, f"request-{number}", "acme", "alice", {"number": number, **facts}, b'{"model":"auto"}'
        )

    return make

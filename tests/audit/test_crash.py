"""A gateway that is killed, however often, leaves a log that verifies and holds every record it gave a receipt for."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gateway.audit.jsonl import JsonlAudit
from gateway.audit.keys import Keys
from gateway.audit.log import Log
from gateway.audit.record import Members, encode
from gateway.audit.show import Wanted, records
from gateway.audit.verify import verify
from gateway.core.errors import ConfigurationError

Evidence = Any  # the class lives in conftest.py, which is not imported

WRITER = """
import asyncio, sys
from pathlib import Path
from gateway.audit.jsonl import JsonlAudit
from gateway.core.records import AuditRecord

async def write(audit, worker):
    number = 0
    while True:
        number += 1
        record = AuditRecord("decided", f"{sys.argv[2]}-{worker}-{number}", "acme", "alice", {"number": number})
        receipt = await audit.write(record)
        print(receipt.sequence, receipt.request_id, flush=True)

async def main():
    audit = JsonlAudit.open(Path(sys.argv[1]) / "audit", Path(sys.argv[1]) / "keys", segment_mb=0.02)
    await asyncio.gather(*(write(audit, worker) for worker in range(4)))

asyncio.run(main())
"""


def kill_while_writing(directory: Path, run: int, after: int) -> dict[int, str]:
    """Start a writer, kill it after so many receipts, and give every receipt it managed to print."""
    command = [sys.executable, "-c", WRITER, str(directory), str(run)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        printed = [child.stdout.readline() for _ in range(after)]
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().splitlines(keepends=True)
    whole = [line.split() for line in [*printed, *rest] if line.endswith("\n")]
    return {int(sequence): request for sequence, request in whole}


def test_every_receipt_given_before_a_kill_is_in_the_log_after_it(tmp_path: Path) -> None:
    receipts: dict[int, str] = {}
    for run, after in enumerate((1, 30, 200)):
        receipts |= kill_while_writing(tmp_path, run, after)
        JsonlAudit.open(tmp_path / "audit", tmp_path / "keys").close()
        verification = verify(tmp_path / "audit")
        assert verification.ok, verification.problem
    held = {shown["seq"]: shown["request_id"] for shown in records(tmp_path / "audit")}
    assert len(receipts) >= 231
    assert {sequence: held[sequence] for sequence in receipts} == receipts


def test_half_a_line_is_cut_off_and_the_cut_is_recorded(evidence: Evidence) -> None:
    with evidence.segments()[-1].open("ab") as file:
        file.write(b'{"v":1,"seq":21,"ts":"2026')
    Log.open(evidence.directory, evidence.keys, 1 << 20).close()
    assert verify(evidence.directory).records == 21
    (recovered,) = records(evidence.directory, Wanted(event="recovered"))
    assert recovered["facts"] == {"why": "start", "unsigned_records": 0, "cut_bytes": 26}


def test_records_beyond_the_head_are_checked_kept_and_told(evidence: Evidence) -> None:
    evidence.forge()
    evidence.forge()
    Log.open(evidence.directory, evidence.keys, 1 << 20).close()
    assert verify(evidence.directory).records == 23
    (recovered,) = records(evidence.directory, Wanted(event="recovered"))
    assert recovered["facts"] == {"why": "start", "unsigned_records": 2, "cut_bytes": 0}


def test_records_beyond_the_head_in_a_segment_of_their_own_are_kept(evidence: Evidence) -> None:
    head = evidence.head.read_bytes()
    log = Log.open(evidence.directory, evidence.keys, segment_bytes=1)
    for _ in range(3):
        log.append([encode(Members("2026-01-01T00:00:00.000Z", "decided", "r", None, None, None, {}))])
    log.close()
    evidence.head.write_bytes(head)
    Log.open(evidence.directory, evidence.keys, 1 << 20).close()
    assert verify(evidence.directory).records == 24


def test_a_segment_opened_and_never_written_is_used(evidence: Evidence) -> None:
    (evidence.directory / "000000000021.jsonl").touch()
    log = Log.open(evidence.directory, evidence.keys, 1 << 20)
    log.append([encode(Members("2026-01-01T00:00:00.000Z", "decided", "r", None, None, None, {}))])
    log.close()
    assert (evidence.directory / "000000000021.jsonl").stat().st_size
    assert verify(evidence.directory).records == 21


@pytest.mark.parametrize("left", [b"", b'{"v":1,"se'], ids=["nothing", "half a record"])
@pytest.mark.parametrize("head", [None, b""], ids=["no head", "empty head"])
def test_a_first_start_that_was_killed_starts_again(
    tmp_path: Path, keys: Keys, left: bytes, head: bytes | None
) -> None:
    (tmp_path / "audit").mkdir()
    (tmp_path / "audit" / "000000000001.jsonl").write_bytes(left)
    if head is not None:
        (tmp_path / "audit" / "head").write_bytes(head)
    Log.open(tmp_path / "audit", keys, 1 << 20).close()
    assert verify(tmp_path / "audit").records == 1


def cut(evidence: Evidence) -> None:
    last = evidence.segments()[-1]
    last.write_bytes(last.read_bytes()[:-30])


def edit_the_head(evidence: Evidence) -> None:
    evidence.head.write_bytes(evidence.head.read_bytes().replace(b'"seq":20', b'"seq":19'))


def alter_the_last(evidence: Evidence) -> None:
    last = evidence.segments()[-1]
    whole = last.read_bytes()
    last.write_bytes(whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:])


@pytest.mark.parametrize(
    ("tamper", "says"),
    [
        pytest.param(cut, "cut off", id="cut off"),
        pytest.param(lambda e: e.segments()[-1].unlink(), "cut off", id="last segment gone"),
        pytest.param(alter_the_last, "not the one that its head signs", id="last record altered"),
        pytest.param(lambda e: e.head.unlink(), "head is missing", id="head gone"),
        pytest.param(lambda e: e.head.write_bytes(b"{}"), "head is damaged", id="head damaged"),
        pytest.param(lambda e: (e.directory / "000000000099.jsonl").touch(), "does not follow", id="stray segment"),
        pytest.param(
            lambda e: e.head.write_bytes(e.head.read_bytes().replace(b'"seq":20', b'"seq":19')),
            "changed",
            id="head edited",
        ),
        pytest.param(lambda e: [s.unlink() for s in e.segments()], "cut off", id="all segments gone"),
    ],
)
def test_a_start_does_not_paper_over_tampering(evidence: Evidence, tamper: Any, says: str) -> None:
    tamper(evidence)
    before = {path.name: path.read_bytes() for path in evidence.directory.iterdir()}
    with pytest.raises(ConfigurationError, match=says) as refused:
        Log.open(evidence.directory, evidence.keys, 1 << 20)
    assert "moving the directory aside" in str(refused.value)
    assert {path.name: path.read_bytes() for path in evidence.directory.iterdir()} == before


def test_a_directory_that_cannot_be_made_is_a_configuration_error(tmp_path: Path, keys: Keys) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="audit log in"):
        Log.open(tmp_path / "file" / "audit", keys, 1 << 20)

"""A disk that fails refuses whoever waits for it, and is back in use as soon as it works."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from gateway.audit.jsonl import JsonlAudit
from gateway.audit.show import Wanted, records
from gateway.audit.verify import verify
from gateway.core.errors import AuditUnavailable
from gateway.core.records import AuditRecord

pytestmark = pytest.mark.anyio
Make = Callable[..., AuditRecord]

FULL = """
import asyncio, resource, sys
from pathlib import Path
from gateway.audit.jsonl import JsonlAudit
from gateway.core.errors import AuditUnavailable
from gateway.core.records import AuditRecord

async def main():
    audit = JsonlAudit.open(Path(sys.argv[1]) / "audit", Path(sys.argv[1]) / "keys")
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
    written, refused = [], 0
    while refused < 3:
        try:
            receipt = await audit.write(AuditRecord("decided", "before", "t", "s", {"filler": "x" * 700}))
            written.append(receipt.sequence)
        except AuditUnavailable as error:
            assert "EFBIG" in str(error), error
            refused += 1
            resource.setrlimit(resource.RLIMIT_FSIZE, (1_000, resource.RLIM_INFINITY))  # no room for small ones either
    await audit.write(AuditRecord("outcome", "kept", "t", "s", {}), durable=False)
    assert audit.status()["error"] == "EFBIG"
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for _ in range(3000):
        if audit.status()["error"] is None:
            break
        await asyncio.sleep(0.02)
    receipt = await audit.write(AuditRecord("decided", "after", "t", "s", {}))
    print(written[-1], receipt.sequence)
    await audit.aclose()

asyncio.run(main())
"""


async def recovered(audit: JsonlAudit) -> None:
    with anyio.fail_after(60):
        while audit.status()["error"]:
            await anyio.sleep(0.02)


def test_a_full_disk_refuses_and_half_a_line_is_cut_back_once_there_is_room(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    last, after = map(int, done.stdout.split())
    assert verify(tmp_path / "audit").ok
    tail = [(shown["seq"], shown["event"], shown["request_id"]) for shown in records(tmp_path / "audit")][last:]
    assert tail == [
        (last + 1, "recovered", None),
        (last + 2, "outcome", "kept"),
        (last + 3, "decided", "after"),
    ]
    assert after == last + 3
    (told,) = records(tmp_path / "audit", Wanted(event="recovered"))
    assert told["facts"] == {"why": "EFBIG", "refused_records": 3}


async def test_a_directory_replaced_by_a_file_is_unavailable_until_it_is_back(tmp_path: Path, record: Make) -> None:
    directory, aside = tmp_path / "audit", tmp_path / "aside"
    audit = JsonlAudit.open(directory, tmp_path / "keys")
    await audit.write(record(1))
    directory.rename(aside)
    directory.write_text("not a directory")
    for _ in range(2):
        with pytest.raises(AuditUnavailable, match="ENOTDIR"):
            await audit.write(record(2))
    directory.unlink()
    aside.rename(directory)
    await recovered(audit)
    assert (await audit.write(record(3))).sequence == 4
    await audit.aclose()
    assert verify(directory).records == 4
    assert [shown["event"] for shown in records(directory)] == ["genesis", "decided", "recovered", "decided"]


async def test_a_directory_that_is_gone_stays_unavailable(tmp_path: Path, record: Make) -> None:
    audit = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")
    shutil.rmtree(tmp_path / "audit")
    with pytest.raises(AuditUnavailable, match="ENOENT"):
        await audit.write(record())
    (tmp_path / "audit").mkdir()  # empty: some other disk, not the log
    with pytest.raises(AuditUnavailable, match="ENOENT"):
        await audit.write(record())
    await audit.aclose()
    assert [path.name for path in (tmp_path / "audit").iterdir()] == []


async def test_a_log_that_was_shortened_while_it_was_written_goes_on_and_shows_the_gap(
    tmp_path: Path, record: Make
) -> None:
    audit = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")
    for number in range(5):
        await audit.write(record(number))
    segment = tmp_path / "audit" / "000000000001.jsonl"
    segment.write_bytes(b"".join(segment.read_bytes().splitlines(keepends=True)[:4]))
    with pytest.raises(AuditUnavailable, match="ESTALE"):
        await audit.write(record(6))
    await recovered(audit)
    await audit.write(record(7))
    await audit.aclose()
    verification = verify(tmp_path / "audit")
    assert (verification.kind, verification.sequence) == ("missing", 5)
    assert "records 5 to 6 are missing" in (verification.problem or "")


async def test_what_someone_appends_to_a_living_log_is_cut_off(tmp_path: Path, record: Make) -> None:
    audit = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")
    with (tmp_path / "audit" / "000000000001.jsonl").open("ab") as file:
        file.write(b"forged\n")
    with pytest.raises(AuditUnavailable, match="ESTALE"):
        await audit.write(record(1))
    await recovered(audit)
    await audit.write(record(2))
    await audit.aclose()
    assert verify(tmp_path / "audit").ok


async def test_a_head_that_is_taken_away_comes_back(tmp_path: Path, record: Make) -> None:
    audit = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")
    (tmp_path / "audit" / "head").unlink()
    audit._log._head_synced = 0.0  # as if a second had passed
    with pytest.raises(AuditUnavailable, match="ESTALE"):
        await audit.write(record(1))
    await recovered(audit)
    await audit.write(record(2))
    await audit.aclose()
    assert verify(tmp_path / "audit").ok


async def test_closing_on_a_broken_disk_returns_and_refuses_who_waits(tmp_path: Path, record: Make) -> None:
    audit = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")
    shutil.rmtree(tmp_path / "audit")
    await audit.write(record(1, "outcome"), durable=False)
    with anyio.fail_after(60):
        await audit.aclose()
    with pytest.raises(AuditUnavailable, match="closed"):
        await audit.write(record(2))

"""The sink on a real disk: group commit, order, rotation, locks, and nothing in clear."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from gateway.audit.jsonl import JsonlAudit
from gateway.audit.keys import Keys
from gateway.audit.log import Log
from gateway.audit.segments import segments
from gateway.audit.show import Wanted, records
from gateway.audit.verify import verify
from gateway.core.errors import AuditUnavailable, ConfigurationError
from gateway.core.records import AuditRecord

pytestmark = pytest.mark.anyio
Make = Callable[..., AuditRecord]


class HeldLog(Log):
    """A log on a disk that takes its time: `append` begins when it is let go."""

    def __init__(self, directory: Path, keys: Keys, segment_bytes: int) -> None:
        super().__init__(directory, keys, segment_bytes)
        self.go = threading.Event()
        self.go.set()  # for the genesis record
        self.groups: list[int] = []

    def append(self, records: Sequence[bytes]) -> int:
        assert self.go.wait(20)
        self.groups.append(len(records))
        return super().append(records)


@pytest.fixture
def held(tmp_path: Path, keys: Keys) -> Iterator[HeldLog]:
    log = HeldLog.open(tmp_path / "audit", keys, 1 << 20)
    assert isinstance(log, HeldLog)
    log.groups.clear()
    log.go.clear()
    yield log
    log.go.set()


async def until(true: Callable[[], bool]) -> None:
    with anyio.fail_after(60):
        while not true():
            await anyio.sleep(0.01)


async def test_records_that_wait_together_share_one_commit(held: HeldLog, keys: Keys, record: Make) -> None:
    audit = JsonlAudit(held, keys, flush_ms=50)
    sequences: list[int] = []
    begun = 0

    async def write(number: int) -> None:
        nonlocal begun
        begun += 1
        sequences.append((await audit.write(record(number))).sequence)

    async with anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(write, number)
        await until(lambda: begun == 200)
        held.go.set()
    await audit.aclose()
    assert sequences == list(range(2, 202))
    assert sum(held.groups) == 200
    assert len(held.groups) <= 3
    assert audit.status()["commits"] == len(held.groups)


async def test_a_cancelled_writer_neither_loses_nor_reorders_records(
    held: HeldLog, keys: Keys, record: Make, tmp_path: Path
) -> None:
    audit = JsonlAudit(held, keys, flush_ms=50)
    async with anyio.create_task_group() as group:
        group.start_soon(audit.write, record(1))
        await anyio.sleep(0.01)
        with anyio.move_on_after(0.02) as left:
            await audit.write(record(2))
        group.start_soon(audit.write, record(3))
        await anyio.sleep(0.01)
        held.go.set()
    await audit.aclose()
    assert left.cancelled_caught
    assert [shown["request_id"] for shown in records(tmp_path / "audit")][1:] == ["request-1", "request-2", "request-3"]


async def test_a_disk_that_does_not_answer_is_unavailable(held: HeldLog, keys: Keys, record: Make) -> None:
    audit = JsonlAudit(held, keys, flush_ms=50, patience_s=0.05)
    with pytest.raises(AuditUnavailable, match=r"within 0\.05 s"):
        await audit.write(record())
    held.go.set()
    await audit.aclose()


async def test_a_queue_has_an_end(held: HeldLog, keys: Keys, record: Make) -> None:
    audit = JsonlAudit(held, keys, flush_ms=50)
    async with anyio.create_task_group() as group:
        group.start_soon(audit.write, record())
        await anyio.sleep(0.02)
        for number in range(10_000):
            await audit.write(record(number), durable=False)
        with pytest.raises(AuditUnavailable, match="10000 records already wait"):
            await audit.write(record(), durable=False)
        held.go.set()
    await audit.aclose()
    assert held.sequence == 10_002


async def test_a_record_nobody_waits_for_reaches_the_disk_soon(tmp_path: Path, record: Make) -> None:
    audit = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys", flush_ms=30)
    await audit.write(record(), durable=False)
    assert audit.status()["lag_records"] == 1
    await until(lambda: audit.status()["lag_records"] == 0 and audit.status()["commits"] == 1)
    assert verify(tmp_path / "audit").records == 2
    await audit.aclose()


async def test_segments_rotate_by_size_and_the_chain_goes_on(tmp_path: Path, record: Make) -> None:
    audit = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys", segment_mb=0.002)
    for number in range(40):
        await audit.write(record(number))
    await audit.aclose()
    names = [segment.name for segment in segments(tmp_path / "audit")]
    assert len(names) > 5
    assert names == sorted(names)
    assert all(segment.stat().st_size < 4096 for segment in segments(tmp_path / "audit"))
    assert verify(tmp_path / "audit").records == 41


async def test_segments_rotate_by_day(tmp_path: Path, record: Make) -> None:
    audit = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")
    await audit.write(record(1))
    audit._log._day = "2020-01-01"
    await audit.write(record(2))
    await audit.aclose()
    assert [segment.name for segment in segments(tmp_path / "audit")] == ["000000000001.jsonl", "000000000003.jsonl"]
    assert verify(tmp_path / "audit").ok


async def test_a_log_goes_on_after_a_restart(tmp_path: Path, record: Make) -> None:
    for number in range(3):
        audit = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")
        assert (await audit.write(record(number))).sequence == number + 2
        await audit.aclose()
    events = [shown["event"] for shown in records(tmp_path / "audit")]
    assert events == ["genesis", "decided", "decided", "decided"]
    assert verify(tmp_path / "audit").ok


async def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    audit = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")
    with pytest.raises(ConfigurationError, match="another process writes"):
        JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")
    await audit.aclose()
    await JsonlAudit.open(tmp_path / "audit", tmp_path / "keys").aclose()


async def test_a_living_log_verifies_while_it_grows_and_rotates(tmp_path: Path, record: Make) -> None:
    audit = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys", segment_mb=0.01)
    stop = False

    async def write(number: int) -> None:
        while not stop:
            await anyio.sleep(0.002)
            await audit.write(record(number))
            await audit.write(record(number, "outcome"), durable=False)

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(write, number)
        seen = []
        for _ in range(20):
            await anyio.sleep(0.02)
            seen.append(await anyio.to_thread.run_sync(verify, tmp_path / "audit"))
        stop = True
    await audit.aclose()
    assert [verification.problem for verification in seen if not verification.ok] == []
    assert seen[0].records < seen[-1].records
    assert len(segments(tmp_path / "audit")) > 5


async def test_nothing_in_clear_reaches_a_file(tmp_path: Path) -> None:
    planted = {"tenant": "planted-tenant", "subject": "planted-subject", "text": "planted-prompt"}
    audit = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")
    canonical = b'{"messages":[{"content":"planted-prompt"}]}'
    await audit.write(
        AuditRecord("decided", "r", planted["tenant"], planted["subject"], {"level": "public"}, canonical)
    )
    await audit.aclose()
    secrets = [path.read_bytes().strip() for path in (tmp_path / "keys").iterdir()]
    for path in (tmp_path / "audit").iterdir():
        held = path.read_bytes()
        assert not [value for value in planted.values() if value.encode() in held], path.name
        assert not [secret for secret in secrets if secret in held], path.name
    (shown,) = records(tmp_path / "audit", Wanted(event="decided"))
    assert shown["tenant"] == audit.pseudonym("tenant", "planted-tenant")
    assert len(shown["hmac"]) == 64


async def test_equal_requests_of_two_tenants_cannot_be_linked(tmp_path: Path) -> None:
    audit = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")
    for tenant in ("one", "two", "one"):
        await audit.write(AuditRecord("decided", "r", tenant, "s", {}, b"{}"))
    await audit.write(AuditRecord("started", "", "", "", {}))
    await audit.aclose()
    one, two, again, started = list(records(tmp_path / "audit"))[1:]
    assert one["hmac"] == again["hmac"] != two["hmac"]
    assert [started[name] for name in ("request_id", "tenant", "subject", "hmac")] == [None] * 4


async def test_files_are_not_for_everybody(tmp_path: Path) -> None:
    await JsonlAudit.open(tmp_path / "audit", tmp_path / "keys").aclose()
    mode = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "audit").iterdir()}
    assert mode["000000000001.jsonl"] & 0o007 == 0
    assert mode["head"] & 0o007 == 0
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700

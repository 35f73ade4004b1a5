"""What every AuditSink does, whichever it is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest

from gateway.audit.jsonl import JsonlAudit
from gateway.audit.memory import MemoryAudit
from gateway.audit.show import records
from gateway.core.errors import AuditUnavailable
from gateway.core.ports import AuditSink
from gateway.core.records import AuditRecord

pytestmark = pytest.mark.anyio


@dataclass
class Sink:
    """A sink and a way to see what it holds."""

    audit: AuditSink
    aclose: Callable[[], object]
    requests: Callable[[], list[str]]


def decided(request_id: str, event: str = "decided", **facts: object) -> AuditRecord:
    return AuditRecord(event, request_id, "acme", "alice", {"level": "internal", **facts}, b"{}")


@pytest.fixture(params=["jsonl", "memory"])
async def sink(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Sink]:
    if request.param == "memory":
        memory = MemoryAudit()
        yield Sink(memory, memory.aclose, lambda: [record.request_id for record in memory.records])
        return
    jsonl = JsonlAudit.open(tmp_path / "audit", tmp_path / "keys")
    yield Sink(jsonl, jsonl.aclose, lambda: [r["request_id"] for r in records(tmp_path / "audit") if r["request_id"]])
    await jsonl.aclose()


async def test_a_receipt_names_its_record(sink: Sink) -> None:
    receipt = await sink.audit.write(decided("a", "attempt"))
    assert (receipt.request_id, receipt.event) == ("a", "attempt")
    assert receipt.sequence > 0


async def test_a_record_with_a_receipt_can_be_read(sink: Sink) -> None:
    await sink.audit.write(decided("a"))
    assert sink.requests() == ["a"]


async def test_sequence_numbers_follow_the_order_of_writing(sink: Sink) -> None:
    receipts = [await sink.audit.write(decided(str(number))) for number in range(5)]
    first = receipts[0].sequence
    assert [receipt.sequence for receipt in receipts] == list(range(first, first + 5))
    assert sink.requests() == list("01234")


async def test_writers_at_the_same_time_get_numbers_of_their_own_in_the_order_they_came(sink: Sink) -> None:
    numbers: dict[int, int] = {}

    async def write(number: int) -> None:
        numbers[number] = (await sink.audit.write(decided(str(number)))).sequence

    async with anyio.create_task_group() as group:
        for number in range(200):
            group.start_soon(write, number)
    assert [number for number, _ in sorted(numbers.items(), key=lambda item: item[1])] == [
        int(r) for r in sink.requests()
    ]
    assert len(set(numbers.values())) == 200


async def test_a_record_that_nobody_waits_for_keeps_its_place_and_proves_nothing(sink: Sink) -> None:
    await sink.audit.write(decided("a"))
    receipt = await sink.audit.write(decided("b", "outcome"), durable=False)
    await sink.audit.write(decided("c"))
    assert receipt.sequence == 0
    assert sink.requests() == ["a", "b", "c"]


async def test_closing_writes_what_nobody_waited_for(sink: Sink) -> None:
    await sink.audit.write(decided("a", "outcome"), durable=False)
    await sink.aclose()  # type: ignore[misc]
    assert sink.requests() == ["a"]


async def test_a_cancelled_writer_loses_no_record(sink: Sink) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await sink.audit.write(decided("a"))
    await sink.audit.write(decided("b"))
    assert scope.cancelled_caught
    assert sink.requests() == ["a", "b"]


@pytest.mark.parametrize(
    "value",
    [object(), b"bytes", {1: "number as key"}, "\ud800"],
    ids=["object", "bytes", "number as key", "half a pair"],
)
async def test_facts_that_json_cannot_carry_are_refused_without_being_quoted(sink: Sink, value: object) -> None:
    with pytest.raises(ValueError, match="'decided' record") as refused:
        await sink.audit.write(decided("a", planted=value))
    assert "planted" not in str(refused.value)
    await sink.audit.write(decided("b"))
    assert sink.requests() == ["b"]


async def test_a_closed_sink_is_unavailable(sink: Sink) -> None:
    await sink.aclose()  # type: ignore[misc]
    with pytest.raises(AuditUnavailable, match="closed"):
        await sink.audit.write(decided("a"))


async def test_the_fake_fails_when_told_to() -> None:
    memory = MemoryAudit(fail_at={2}, fail_events={"attempt"})
    assert (await memory.write(decided("a"))).sequence == 1
    with pytest.raises(AuditUnavailable):
        await memory.write(decided("b"))
    with pytest.raises(AuditUnavailable):
        await memory.write(decided("c", "attempt"))
    memory.broken = True
    with pytest.raises(AuditUnavailable):
        await memory.write(decided("d"))
    assert memory.status()["error"]
    memory.broken = False
    assert (await memory.write(decided("e"))).sequence == 2
    assert (memory.events(), memory.events("e"), memory.writes) == (["decided", "decided"], ["decided"], 5)


async def test_the_fake_holds_its_writers_when_told_to() -> None:
    memory = MemoryAudit(hold=anyio.Event())
    with anyio.move_on_after(0.02) as waited:
        await memory.write(decided("a"))
    assert waited.cancelled_caught
    assert memory.hold is not None
    memory.hold.set()
    assert (await memory.write(decided("b"))).sequence == 2

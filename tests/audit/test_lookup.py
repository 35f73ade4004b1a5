"""The trail of one request, found from the log's end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.audit.jsonl import JsonlAudit
from gateway.audit.lookup import find
from gateway.core.records import AuditRecord

pytestmark = pytest.mark.anyio


async def written(folder: Path, *records: tuple[str, str, dict[str, Any]], filler: int = 0) -> Path:
    """Records by event, request and facts. With a `filler` of kilobytes before each, every one has its own segment."""
    audit = JsonlAudit.open(folder / "audit", folder / "keys", segment_mb=0.02)
    for event, request, facts in records:
        await audit.write(AuditRecord("note", "other", "t", "s", {"filler": "x" * filler * 1024}))
        await audit.write(AuditRecord(event, request, "t", "s", facts))
    await audit.aclose()
    return folder / "audit"


@pytest.mark.parametrize("filler", [0, 30], ids=["in one segment", "each in its own"])
async def test_a_request_that_was_decided_twice_has_both_decisions(tmp_path: Path, filler: int) -> None:
    directory = await written(
        tmp_path,
        ("decided", "r1", {"gain": 0.5, "drafted": False}),
        ("decided", "r1", {"gain": 0.8, "drafted": True}),
        ("outcome", "r1", {}),
        filler=filler,
    )
    trail = find(directory, "r1")
    assert trail is not None
    assert trail.decided is not None
    assert trail.before is not None
    assert (trail.decided["facts"]["gain"], trail.before["facts"]["gain"]) == (0.8, 0.5)


@pytest.mark.parametrize("filler", [0, 30], ids=["in one segment", "each in its own"])
async def test_a_request_that_waited_while_the_policy_was_replaced_has_all_its_decisions(
    tmp_path: Path, filler: int
) -> None:
    directory = await written(
        tmp_path,
        ("decided", "r1", {"gain": 0.5, "drafted": False}),
        ("decided", "r1", {"gain": 0.8, "drafted": True}),
        ("attempt", "r1", {}),
        ("decided", "r1", {"gain": 0.8, "drafted": True, "instead_of": "00"}),
        ("decided", "r2", {"gain": 0.1, "drafted": False}),
        ("attempt", "r2", {}),
        ("decided", "r2", {"gain": 0.1, "drafted": False, "instead_of": "00"}),
        filler=filler,
    )
    trail, other = find(directory, "r1"), find(directory, "r2")
    assert trail is not None
    assert trail.before is not None
    assert (len(trail.records), len(trail.attempts), trail.before["facts"]["gain"]) == (4, 1, 0.5)
    assert other is not None
    assert (len(other.records), len(other.attempts), other.before) == (3, 1, None), "a way out earlier is not lost"


async def test_a_request_id_that_a_client_used_twice_has_no_decision_before(tmp_path: Path) -> None:
    directory = await written(tmp_path, *[("decided", "r1", {"gain": gain, "drafted": False}) for gain in (0.5, 0.8)])
    trail = find(directory, "r1")
    assert trail is not None
    assert trail.decided is not None
    assert trail.decided["facts"]["gain"] == 0.8
    assert trail.before is None


async def test_records_made_before_there_were_drafts_are_found_as_ever(tmp_path: Path) -> None:
    trail = find(await written(tmp_path, ("decided", "r1", {"gain": 0.5})), "r1")
    assert trail is not None
    assert (len(trail.records), trail.before) == (1, None)
    assert find(tmp_path / "audit", "r2") is None

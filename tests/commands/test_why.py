"""`gateway why` on a request that was decided more than once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.audit.jsonl import JsonlAudit
from gateway.core.records import AuditRecord
from tests.support.command import call

pytestmark = pytest.mark.anyio

DECISION: dict[str, Any] = {
    "level": "internal", "zone": "local", "backend": "local", "rule": "default", "refusal": None,
    "policy_digest": "22", "reasons": [],
}  # fmt: skip


async def test_it_says_that_the_policy_was_replaced_while_the_request_waited(tmp_path: Path) -> None:
    audit = JsonlAudit.open(tmp_path / "var" / "audit", tmp_path / "var" / "keys")
    for more in ({"drafted": False}, {"drafted": False, "instead_of": "11"}):
        await audit.write(AuditRecord("decided", "r1", "default", "s", {"decision": DECISION, "gain": 0.5, **more}))
    await audit.aclose()
    told = call(tmp_path, "why", "r1", "--dir", tmp_path / "var" / "audit").out
    assert '"instead_of": "11"' in told

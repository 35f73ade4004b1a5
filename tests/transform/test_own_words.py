"""The operator's own words, numbers and fields are replaced whatever category they were given."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import EgressDenied
from gateway.core.own_rules import OwnRule, OwnRules
from gateway.core.release import check
from gateway.core.types import Allowed, BackendSpec, Decision, Outgoing, Sensitivity, Zone
from gateway.detect.own import OwnDetector
from gateway.detect.scanner import Scanner
from gateway.transform import Pseudonymise, Strip

pytestmark = pytest.mark.anyio

RULES = OwnRules(
    (
        OwnRule("project_name", "confidential", literals=("Nordlicht",)),
        OwnRule("staff", "person", fields=("employee_id",)),
    ),
    (),
    "digest",
)
ARGUMENTS = '{"employee_id": "Qux 12", "x": {"employeeId": ["Zed", "Zod Xy"]}}'
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": ARGUMENTS}}
MESSAGES = [
    {"role": "user", "content": "When does NORDLICHT go live? employee_id=[7741]"},
    {"role": "assistant", "content": None, "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "c", "content": "<employee_id>7742</employee_id> of Nordlicht"},
]
VALUES = ("nordlicht", "qux", "7741", "7742", "zed", "zod")


@pytest.fixture
def own(scanner: Scanner) -> OwnDetector:
    return OwnDetector(scanner, lambda: RULES)


@pytest.mark.parametrize("name", ["pseudonymise", "strip"])
async def test_own_words_and_fields_do_not_leave(tools: Any, own: OwnDetector, secret: bytes, name: str) -> None:
    transform = Pseudonymise(own, secret) if name == "pseudonymise" else Strip(own)
    done = await tools.apply(transform, own, tools.request(MESSAGES))
    leaves = json.dumps(done.request.body).lower()
    assert [value for value in VALUES if value in leaves] == []


async def test_they_come_back(tools: Any, own: OwnDetector, secret: bytes) -> None:
    done = await tools.apply(Pseudonymise(own, secret), own, tools.request(MESSAGES))
    said = done.request.body["messages"][1]["content"]
    told = tools.text(await tools.through(done.restore, tools.says(said, [3])))
    assert told == MESSAGES[0]["content"]


async def test_the_door_does_not_open_for_one_that_is_left(tools: Any, own: OwnDetector) -> None:
    way = Allowed("large", Zone.REMOTE, "masked", "pseudonymise")
    found = (("project_name", 2), ("staff", 4))
    decision = Decision(Sensitivity.CONFIDENTIAL, Zone.REMOTE, "large", "masked", (), "p", "d", (way,), found)
    outgoing = Outgoing("large", {"messages": MESSAGES}, transform="pseudonymise")
    scan = await own.scan(outgoing.payload)
    spec = BackendSpec("large", Zone.REMOTE, "canned", "m")
    with pytest.raises(EgressDenied, match="project_name, staff"):
        check(tools.request(MESSAGES), decision, backend=spec, outgoing=outgoing, scan=scan)

"""Reading the log as a person does, and as `why` does."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.audit.log import Log
from gateway.audit.lookup import find
from gateway.audit.record import Members, encode
from gateway.audit.rows import left, row, table
from gateway.audit.show import Wanted, records

Evidence = Any  # the class lives in conftest.py, which is not imported


@pytest.mark.parametrize(
    ("wanted", "sequences"),
    [
        pytest.param(Wanted(request="request-7"), [8], id="request"),
        pytest.param(Wanted(request="request-1"), [2], id="request whose name begins others"),
        pytest.param(Wanted(event="genesis"), [1], id="event"),
        pytest.param(Wanted(request="request-7", event="outcome"), [], id="both must fit"),
        pytest.param(Wanted(tenant="a" * 32, until="2026-01-02"), list(range(2, 21)), id="tenant"),
        pytest.param(Wanted(event="decided", since="2026-01-02"), [], id="since"),
        pytest.param(Wanted(event="decided", until="2026-01-01"), [], id="until is exclusive"),
        pytest.param(Wanted(event="decided", since="2026-01", until="2026-02"), list(range(2, 21)), id="a month"),
    ],
)
def test_records_are_chosen(evidence: Evidence, wanted: Wanted, sequences: list[int]) -> None:
    assert [record["seq"] for record in records(evidence.directory, wanted)] == sequences


def test_the_last_records_are_shown(evidence: Evidence) -> None:
    assert [record["seq"] for record in records(evidence.directory, last=3)] == [18, 19, 20]


def test_lines_that_cannot_be_read_are_left_out(evidence: Evidence) -> None:
    def spoil(raw: list[bytes], index: int) -> None:
        raw[index] = b"\xff not a record"
        raw.insert(0, b"[]")

    evidence.change(7, spoil)
    with evidence.segments()[-1].open("ab") as file:
        file.write(b'{"v":1')
    assert [record["seq"] for record in records(evidence.directory)] == [*range(1, 7), *range(8, 21)]


def test_a_row_is_one_line_and_steers_no_terminal() -> None:
    facts = {"gain": 0.5, "zone": "local", "level": "restricted", "findings": list(range(9)), "note": "x" * 100}
    shown = row({"seq": 3, "ts": "2026", "event": "policy", "request_id": "\x1b[2Jr\n", "facts": facts})
    assert "gain=0.5 zone=local level=restricted findings=[9] note=" in shown
    assert shown.isprintable()
    assert "x" * 70 not in shown
    assert row({}).split() == ["-", "-", "-", "-"]


DECISION = {"level": "restricted", "zone": "local", "backend": "small", "rule": "default", "refusal": None}
FOUND = [{"kind": "iban"}, {"kind": "email"}, {"kind": "iban"}]
SENT = {"backend": "large", "zone": "remote", "host": "api.example", "wire": "openai"}
TOLD = {
    "a decision": ("decided", {"decision": DECISION}, "restricted → local (small) by rule default"),
    "a second decision": ("decided", {"decision": DECISION, "drafted": True}, "by rule default; on a local draft"),
    "a decision anew": (
        "decided", {"decision": DECISION, "instead_of": "00"}, "by rule default; anew, by the policy now in force",
    ),
    "findings": ("decided", {"decision": DECISION, "findings": FOUND}, "by rule default; found email ×1, iban ×2"),
    "a refusal": ("decided", {"decision": {**DECISION, "refusal": "no_go"}}, "by rule default; refused: no_go"),
    "an attempt": ("attempt", SENT, "released to large (api.example)"),
    "a stand-in": ("attempt", {**SENT, "wire": "canned"}, "a stand-in played large, nothing sent"),
    "an end": (
        "outcome", {"outcome": "ok", "backend": "large", "prompt_tokens": 3, "completion_tokens": 4, "error": None},
        "ok, by large, 3 + 4 tokens",
    ),
    "a failure": ("outcome", {"outcome": "error", "error": "BackendTimeout"}, "error, BackendTimeout"),
    "damage": ("decided", {"decision": 7, "findings": None}, "decision=7 findings=null"),
}  # fmt: skip


@pytest.mark.parametrize(("event", "facts", "told"), TOLD.values(), ids=TOLD.keys())
def test_a_row_says_what_an_auditor_asks(event: str, facts: dict[str, Any], told: str) -> None:
    assert row({"seq": 3, "ts": "2026", "event": event, "request_id": "r", "facts": facts}).endswith(told)


def test_what_left_is_what_went_over_a_wire() -> None:
    assert left({"event": "attempt", "facts": SENT})
    assert not left({"event": "attempt", "facts": {**SENT, "wire": "canned"}})
    assert not left({"event": "decided", "facts": SENT})


def test_a_table_has_a_heading_and_a_row_for_each(evidence: Evidence) -> None:
    shown = list(table(records(evidence.directory)))
    assert shown[0].split() == ["seq", "time", "event", "request", "what"]
    assert len(shown) == 21


def test_a_trail_is_found_across_segments(evidence: Evidence) -> None:
    log = Log.open(evidence.directory, evidence.keys, segment_bytes=1)
    for event in ("attempt", "attempt", "outcome"):
        log.append([encode(Members("2026-01-02T00:00:00.000Z", event, "request-19", None, None, None, {"n": 1}))])
    log.close()
    trail = find(evidence.directory, "request-19")
    assert trail is not None
    assert trail.decided is not None
    assert trail.decided["seq"] == 20
    assert [record["seq"] for record in trail.attempts] == [21, 22]
    assert trail.outcome is not None
    assert trail.outcome["seq"] == 23
    assert [record["seq"] for record in trail.records] == [20, 21, 22, 23]


def test_an_unknown_request_has_no_trail(evidence: Evidence) -> None:
    assert find(evidence.directory, "request-99") is None

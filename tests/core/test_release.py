"""The only door out: what it refuses, and that neither a hand-made permit nor a plain request gets past it."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import EgressDenied
from gateway.core.records import Receipt
from gateway.core.release import Released, check, release
from gateway.core.types import (
    Allowed,
    BackendSpec,
    Decision,
    Finding,
    Outgoing,
    Place,
    Principal,
    Request,
    Scan,
    Sensitivity,
    Unreadable,
    Zone,
)

ROOT = Path(__file__).parents[2]
LARGE = BackendSpec("large", Zone.REMOTE, "openai", "m")
HOUSE = BackendSpec("house", Zone.PRIVATE, "openai", "m")
HOME = BackendSpec("local", Zone.LOCAL, "llama", "m")
REQUEST = Request("r1", Principal(), "auto", {"messages": []})
DECISION = Decision(
    Sensitivity.INTERNAL,
    Zone.REMOTE,
    "large",
    "hard",
    (),
    "p",
    "d",
    (Allowed("large", Zone.REMOTE, "hard"), Allowed("house", Zone.PRIVATE, "hard"), Allowed("local", Zone.LOCAL, "x")),
    considered=(("email", 1),),
)
EMAIL = Finding("words", "email", "contact", 1.0, Place("$.messages[0].content", 0, 3), 1)
IBAN = replace(EMAIL, kind="iban", category="financial")


def ask(**changes: Any) -> dict[str, Any]:
    backend: BackendSpec = changes.get("backend", LARGE)
    return {
        "request": REQUEST,
        "decision": DECISION,
        "backend": backend,
        "outgoing": Outgoing(backend.name, {"messages": []}),
        "scan": Scan(),
        "receipt": Receipt(7, "r1", "attempt"),
        **changes,
    }


def through(**changes: Any) -> Released:
    asked = ask(**changes)
    return release(asked.pop("request"), asked.pop("decision"), **asked)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="as decided"),
        pytest.param({"backend": HOUSE}, id="to the second way"),
        pytest.param({"scan": Scan((EMAIL,))}, id="with what was weighed"),
        pytest.param({"backend": HOUSE, "scan": Scan((), (Unreadable("$", "image"),))}, id="unreadable, in the house"),
        pytest.param(
            {"backend": HOUSE, "decision": replace(DECISION, level=Sensitivity.UNKNOWN)}, id="unknown, in the house"
        ),
    ],
)
def test_what_was_decided_and_recorded_goes_out(changes: dict[str, Any]) -> None:
    released = through(**changes)
    assert (released.backend, released.sequence) == (changes.get("backend", LARGE), 7)


REFUSED: dict[str, dict[str, Any]] = {
    "refused by the policy": {"decision": replace(DECISION, refusal="local_model_unfit")},
    "a backend that the decision does not name": {"backend": replace(LARGE, name="other")},
    "a backend that moved outward since": {"backend": replace(HOUSE, zone=Zone.REMOTE)},
    "this host's own engine": {"backend": HOME},
    "the client asked to stay": {"request": replace(REQUEST, local_only=True)},
    "a transform that was not applied": {
        "decision": replace(DECISION, allowed=(Allowed("large", Zone.REMOTE, "hard", "pseudonymise"),))
    },
    "text made for another backend": {"outgoing": Outgoing("house", {"messages": []})},
    "a level nobody knows, outside": {"decision": replace(DECISION, level=Sensitivity.UNKNOWN)},
    "an unreadable part, outside": {"scan": Scan((), (Unreadable("$", "image"),))},
    "a kind that was not weighed": {"scan": Scan((IBAN,))},
    "more of a kind than was weighed": {"scan": Scan((EMAIL, EMAIL))},
    "no durable record": {"receipt": Receipt(0, "r1", "attempt")},
    "another request's record": {"receipt": Receipt(7, "r2", "attempt")},
    "the record of the decision alone": {"receipt": Receipt(7, "r1", "decided")},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED.keys())
def test_everything_else_stays(changes: dict[str, Any]) -> None:
    with pytest.raises(EgressDenied):
        through(**changes)


def test_the_door_can_be_tried_without_a_record() -> None:
    asked = ask()
    del asked["receipt"]
    check(asked.pop("request"), asked.pop("decision"), **asked)


def test_a_permit_cannot_be_made_by_hand() -> None:
    released = through()
    with pytest.raises(EgressDenied):
        Released(released.outgoing, LARGE, DECISION, "r1", False, 7, object())
    with pytest.raises(EgressDenied):
        replace(released, _seal=None)


def test_a_permit_shows_no_text() -> None:
    assert "messages" not in repr(through())


def test_the_type_checker_refuses_a_remote_call_without_a_permit(tmp_path: Path) -> None:
    """The same file with the permit in place of the request passes, so it is this that is refused."""
    template = (
        "from gateway.core.ports import RemoteBackend\n"
        "from gateway.core.release import Released\n"
        "from gateway.core.types import Decision, Request\n\n\n"
        "def send(remote: RemoteBackend, request: Request, decision: Decision, released: Released) -> None:\n"
        "    remote.stream({argument})\n"
    )
    results = {}
    for argument in ("released", "request", "decision", "request.body"):
        file = tmp_path / f"{argument.replace('.', '_')}.py"
        file.write_text(template.format(argument=argument))
    command = [
        sys.executable,
        "-m",
        "mypy",
        "--strict",
        "--cache-dir",
        str(tmp_path / "cache"),
        *map(str, tmp_path.glob("*.py")),
    ]
    told = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=300).stdout
    for argument in ("released", "request", "decision", "request_body"):
        results[argument] = f"{argument}.py:7: error" in told
    assert results == {"released": False, "request": True, "decision": True, "request_body": True}, told
    assert told.count('expected "Released"') == 3

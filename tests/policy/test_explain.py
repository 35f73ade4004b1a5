"""An explanation shows every rule with what it wanted and what it found, and a recorded decision can be made again."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from gateway.core.types import Place
from gateway.policy.explain import explain
from gateway.policy.replay import facts_of, replay

TEXT = """
name: x
permit:
  - {name: hard, zone: remote, when: {sensitivity: {at_most: internal}, complexity: {at_least: 0.95}}}
  - {name: early, zone: remote, when: {sensitivity: {at_most: internal}, time: {hours: "06:00-08:00"}}}
forbid:
  - {name: lab, zone: remote, when: {purpose: {in: [study]}, kinds: [iban]}}
"""


def test_every_condition_shows_what_it_wants_and_what_it_found(
    compiled: Callable[..., Any], ask: Any, facts: Any, found: Any
) -> None:
    assessment = facts(findings=(found("iban", "financial"),))
    told = explain(compiled(TEXT), ask(received_at=1795244400.0), assessment)
    assert told["level"] == {"level": "confidential", "raised_by": ["kind iban ×1 → confidential"]}
    assert told["findings"] == {"counted": 1, "let_pass": 0, "unreadable": []}
    level = {"field": "sensitivity", "want": {"at_most": "internal"}, "have": "confidential", "holds": False}
    assert told["permits"] == [
        {"name": "early", "zone": "remote", "matched": False, "conditions": [
            level,
            {"field": "time", "want": {"hours": "06:00-08:00", "tz": "UTC"}, "have": "sat 07:00", "holds": True},
        ]},
        {"name": "hard", "zone": "remote", "matched": False, "conditions": [
            level, {"field": "complexity", "want": {"at_least": 0.95}, "have": 0.9, "holds": False},
        ]},
    ]  # fmt: skip
    assert told["forbids"] == [
        {"name": "lab", "zone": "remote", "matched": True, "conditions": [
            {"field": "kinds", "want": {"any_of": ["iban"]}, "have": ["iban"], "holds": True},
            {"field": "purpose", "want": {"in": ["study"]}, "have": None, "holds": None},
        ]},
    ]  # fmt: skip
    assert (told["decision"]["zone"], told["decision"]["considered"]) == ("local", {"iban": 1})
    json.dumps(told, allow_nan=False)


def test_recorded_facts_hold_neither_text_nor_its_place_within_a_string(
    compiled: Callable[..., Any], ask: Any, facts: Any, found: Any
) -> None:
    request = ask(tenant="t", roles=frozenset("ab"), purpose="p", received_at=1795244400.5)
    finding = found("iban", "financial", near=frozenset({"bank"}))
    recorded = facts_of(request, facts(findings=(finding,), gain=float("nan")))
    assert recorded["findings"] == [
        {"kind": "iban", "category": "financial", "confidence": 1.0, "value_id": 1, "near": ["bank"],
         "reserved": False, "path": "$.messages[0].content"},
    ]  # fmt: skip
    assert recorded["gain"] is None
    assert not {"body", "messages", "subject"} & set(recorded)
    again = replay(compiled(TEXT), json.loads(json.dumps(recorded)))
    assert again == compiled(TEXT).decide(request, facts(findings=(finding,), gain=float("nan")))
    assert finding.place == Place("$.messages[0].content", 0, 1)

"""What permits demand on the way out: the strongest counts, whatever is found, and what is restored is not kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.scoring import NO_NEEDS
from gateway.core.types import TAINT, Place, Sensitivity
from gateway.policy.cases import CATALOGUE
from gateway.policy.check import check_policy
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.explain import explain
from gateway.policy.replay import facts_of, replay


def permit(name: str, level: str = "internal", zone: str = "remote", also: str = "", **given: str) -> str:
    more = "".join(f", {key.rstrip('_')}: {value}" for key, value in given.items())
    return f"  - {{name: {name}, zone: {zone}, when: {{sensitivity: {{at_most: {level}}}{also}}}{more}}}\n"


_DIGEST = "164f36b3605e468be26e2c8e8e7fe152e1ecf16bebf8c1fbe82fdc00a5a932f3"


def policy(*permits: str) -> str:
    return "name: x\npermit:\n" + "".join(permits)


STRONGEST = {
    "none asks for one": (policy(permit("a"), permit("b")), None),
    "one asks for one": (policy(permit("a"), permit("b", with_="pseudonymise")), "pseudonymise"),
    "two ask": (policy(permit("a", with_="strip"), permit("b", with_="pseudonymise")), "strip"),
    "three ask": (policy(permit("a", with_="strip"), permit("b", with_="rewrite"), permit("c", with_="pseudonymise")),
                  "rewrite"),
    "of another backend": (policy(permit("a", to="[large]"), permit("b", to="[large-eu]", with_="strip")), None),
    "of a zone further in": (policy(permit("a"), permit("b", zone="private", with_="strip")), None),
    "of somebody else": (policy(permit("a"), permit("b", also=", tenant: {in: [lab]}", with_="strip")), None),
    "of something unknown": (policy(permit("a"), permit("b", also=", purpose: {in: [study]}", with_="strip")), None),
}  # fmt: skip


@pytest.mark.parametrize(("text", "want"), STRONGEST.values(), ids=STRONGEST.keys())
def test_the_strongest_transform_of_the_permits_for_a_backend_applies(
    text: str, want: str | None, compiled: Callable[..., CompiledPolicy], ask: Any, facts: Any
) -> None:
    decision = compiled(text).decide(ask(), facts())
    assert (decision.backend, decision.transform) == ("large", want)
    assert decision.allowed[0].transform == want
    local = decision.allows("smollm2")
    assert local is not None
    assert local.transform is None


def test_each_backend_has_the_transform_of_its_own_permits(
    compiled: Callable[..., CompiledPolicy], ask: Any, facts: Any
) -> None:
    text = policy(
        permit("a"), permit("b", to="[large-eu]", with_="strip"), permit("c", zone="private", with_="rewrite")
    )
    allowed = compiled(text).decide(ask(), facts()).allowed
    assert {way.backend: way.transform for way in allowed} == {
        "large": None, "large-eu": "strip", "house": "rewrite", "smollm2": None,
    }  # fmt: skip


def test_a_demand_does_not_lapse_when_more_is_found(
    compiled: Callable[..., CompiledPolicy], ask: Any, facts: Any, found: Any
) -> None:
    """Else a name alone would go out replaced, and beside an IBAN as it is."""
    text = policy(permit("masked", with_="pseudonymise"), permit("open", level="confidential"))
    before = compiled(text).decide(ask(), facts(findings=(found("person", "person"),)))
    more = (found("person", "person"), found("iban", "financial", value_id=2))
    after = compiled(text).decide(ask(), facts(findings=more))
    assert before.transform == after.transform == "pseudonymise"
    assert "permit 'masked' demands pseudonymise, whatever is found" in after.reasons
    assert "permit 'masked' lets it out to remote with pseudonymise" in before.reasons


KEPT = {
    "nothing was found": ((), "pseudonymise", True),
    "something that is no value": ((("salted", "confidential"),), "pseudonymise", True),
    "a value": ((("person", "person"),), "pseudonymise", False),
    "a value, for good": ((("person", "person"),), "strip", False),
    "composed here": ((), "rewrite", False),
}


@pytest.mark.parametrize(("findings", "transform", "cacheable"), KEPT.values(), ids=KEPT.keys())
def test_an_answer_with_values_put_back_is_not_kept(
    findings: Any, transform: str, cacheable: bool, compiled: Callable[..., CompiledPolicy], ask: Any, facts: Any,
    found: Any,
) -> None:  # fmt: skip
    text = policy(permit("a", level="confidential", with_=transform))
    decision = compiled(text).decide(ask(), facts(findings=tuple(found(*pair) for pair in findings)))
    assert (decision.transform, decision.cacheable) == (transform, cacheable)


def test_what_stays_is_not_changed_and_its_answer_may_be_kept(
    compiled: Callable[..., CompiledPolicy], ask: Any, facts: Any, found: Any
) -> None:
    decision = compiled(policy(permit("a", with_="strip"))).decide(ask(), facts(findings=(found("iban", "financial"),)))
    assert (decision.zone.word, decision.transform, decision.cacheable) == ("local", None, True)


NEVER = {
    "public": permit("a", level="public", with_="strip"),
    "nothing found": permit("a", also=", kinds: {within: []}", with_="strip"),
    "no values": permit("a", level="restricted", also=", categories: {within: [health, confidential]}", with_="strip"),
    "all values refused": permit(
        "a", also=", categories: {none_of: [secret, credentialed_url, identifier, financial, contact, person]}",
        with_="strip",
    ),
}  # fmt: skip


@pytest.mark.parametrize("rule", NEVER.values(), ids=NEVER.keys())
def test_a_transform_that_can_never_matter_is_a_warning(rule: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(policy(rule), encoding="utf-8")
    report = check_policy(path, CATALOGUE)
    assert report.ok
    assert ["permit 'a', with: strip can never matter" in text for text in report.warnings] == [True]


def test_a_transform_that_matters_is_none(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(policy(permit("a", also=", categories: {within: [person, health]}", with_="strip")))
    assert check_policy(path, CATALOGUE).warnings == ()


def test_an_explanation_shows_what_is_demanded(
    compiled: Callable[..., CompiledPolicy], ask: Any, facts: Any, found: Any
) -> None:
    text = policy(permit("masked", with_="strip"), permit("open", level="confidential"))
    told = explain(compiled(text), ask(), facts(findings=(found("iban", "financial"),)))
    (masked, open_) = told["permits"]
    assert (masked["matched"], masked["with"], masked["demands"]) == (False, "strip", True)
    assert "with" not in open_
    assert told["decision"]["transform"] == "strip"


# -- what else a decision says ----------------------------------------------------------------------------------------

LIFTED = {
    "nothing": ("", {}, (), False),
    "a kind": ("", {}, (("iban", "financial"),), False),
    "the client": ("", {"at_least": Sensitivity.CONFIDENTIAL}, (), True),
    "the client, to what it is anyway": ("", {"at_least": Sensitivity.CONFIDENTIAL}, (("iban", "financial"),), False),
    "a condition": ("levels: {x: {when: {kinds: [person]}, raise_to: restricted}}", {}, (("person", "person"),), True),
    "a level of one's own": ("levels: {person: restricted}", {}, (("person", "person"),), False),
}


@pytest.mark.parametrize(("text", "asked", "findings", "want"), LIFTED.values(), ids=LIFTED.keys())
def test_a_decision_says_whether_its_level_is_more_than_its_kinds_make_it(
    text: str, asked: Any, findings: Any, want: bool, compiled: Callable[..., CompiledPolicy], ask: Any, facts: Any,
    found: Any,
) -> None:  # fmt: skip
    assessment = facts(findings=tuple(found(*pair) for pair in findings))
    assert compiled(f"name: x\n{text}\n").decide(ask(**asked), assessment).lifted is want


def test_answers_are_scanned_from_the_level_the_policy_says(
    compiled: Callable[..., CompiledPolicy], ask: Any, facts: Any
) -> None:
    assert compiled("name: x\n").decide(ask(), facts()).scan_answer is None
    decision = compiled("name: x\nscan_answer: confidential\n").decide(ask(), facts())
    assert decision.scan_answer is Sensitivity.CONFIDENTIAL


PUBLIC = {
    "a key": ("", {"public": True}, False, "public"),
    "a key that is not believed": ("public: {keys: false}", {"public": True}, False, "internal"),
    "a general question": ("public: {generic: true}", {}, True, "public"),
    "a general question that is not believed": ("", {}, True, "internal"),
    "no general question": ("public: {generic: true}", {}, False, "internal"),
    "a client that says otherwise": ("public: {generic: true}", {"at_least": Sensitivity.INTERNAL}, True, "internal"),
}


@pytest.mark.parametrize(("text", "asked", "generic", "level"), PUBLIC.values(), ids=PUBLIC.keys())
def test_public_is_earned_by_what_the_policy_believes(
    text: str, asked: Any, generic: bool, level: str, compiled: Callable[..., CompiledPolicy], ask: Any, facts: Any,
    found: Any,
) -> None:  # fmt: skip
    read = compiled(f"name: x\n{text}\n")
    assert read.decide(ask(**asked), facts(generic=generic)).level.word == level
    told = explain(read, ask(**asked), facts(generic=generic))
    assert ("public" in told["level"]) is (level == "public")
    assert any(reason.startswith("public: ") for reason in told["decision"]["reasons"]) is (level == "public")
    named = facts(generic=generic, findings=(found("person", "person"),))
    assert read.decide(ask(**asked), named).level.word == "internal"


def test_records_from_before_say_nothing_of_the_new_facts_and_replay(
    compiled: Callable[..., CompiledPolicy], ask: Any, facts: Any, found: Any
) -> None:
    read = compiled("name: x\npublic: {generic: true}\n")
    recorded = facts_of(ask(), facts(generic=True))
    assert replay(read, recorded).level is Sensitivity.PUBLIC
    del recorded["generic"]
    assert replay(read, recorded).level is Sensitivity.INTERNAL


def test_what_is_remembered_is_replayed_as_remembered(
    compiled: Callable[..., CompiledPolicy], ask: Any, facts: Any, found: Any
) -> None:
    kept = replace(found("derived_confidential", "confidential"), detector=TAINT, place=Place("$", 0, 0))
    assessment = facts(findings=(kept, found("iban", "financial")))
    read = compiled("name: x\n")
    assert replay(read, facts_of(ask(), assessment)) == read.decide(ask(), assessment)
    assert read.decide(ask(), assessment).considered == (("iban", 1),)


def test_a_policy_that_says_nothing_new_keeps_the_digest_it_had(compiled: Callable[..., CompiledPolicy]) -> None:
    """Records name the digest: of an older policy it must not change with the gateway."""
    text = policy(permit("a")) + "allow: {reserved: [email]}\n"
    assert compiled(text).digest == _DIGEST
    assert compiled(text + "public: {keys: true}\n").digest == _DIGEST
    assert compiled(text + "public: {generic: true}\n").digest != _DIGEST
    assert compiled(text.replace("when", "with: strip, when")).digest != _DIGEST


def test_every_need_stands_in_the_record(ask: Any, facts: Any) -> None:
    assert facts_of(ask(), facts())["needs"] == asdict(NO_NEEDS)

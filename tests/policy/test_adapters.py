"""With which adapter the local model answers: the client's wish, the first rule that holds, and no way out for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import ConfigurationError
from gateway.core.types import Needs, Unreadable, Zone
from gateway.policy.cases import CATALOGUE, run_cases
from gateway.policy.check import check_policy
from gateway.policy.doubts import Vocabulary
from gateway.policy.explain import explain
from gateway.policy.load import load_policy
from gateway.policy.replay import facts_of, replay

BACKENDS = (replace(CATALOGUE[0], adapters=("legal", "clinic")), *CATALOGUE[1:])
RULE = "  - {name: %s, adapter: %s, when: {%s}}\n"
LAWYERS = RULE % ("lawyers", "legal", "tag: {in: [law]}")
DOCTORS = RULE % ("doctors", "clinic", "categories: [financial, health]")
PINNED = "  - {name: everybody, adapter: none, always: true}\n"


@pytest.fixture
def policy(compiled: Callable[..., Any]) -> Callable[..., Any]:
    return lambda *rules, head="": compiled(f"name: x\n{head}adapters:\n" + "".join(rules), BACKENDS)


# rules, tags, what the client named → adapter, and whether it is told that it got another
CHOICES: dict[str, tuple[tuple[str, ...], set[str], str | None, str | None, bool]] = {
    "nobody says anything": ((LAWYERS,), set(), None, None, False),
    "a rule that holds": ((LAWYERS,), {"law"}, None, "legal", False),
    "the first that holds": ((LAWYERS, DOCTORS), {"law"}, None, "legal", False),
    "the first that holds, the other way round": ((DOCTORS, LAWYERS), {"law"}, None, "clinic", False),
    "the bare model by rule": ((RULE % ("plain", "none", ""), LAWYERS), {"law"}, None, None, False),
    "the client's wish": ((RULE % ("it", "clinic", "tag: {not_in: [law]}"),), {"x"}, "legal", "legal", False),
    "the client's wish where no rule holds": ((PINNED.replace("always", "when: {tag: {in: [y]}}, always"),), {"x"},
                                              "legal", "legal", False),
    "a wish against a rule for everybody": ((PINNED,), {"law"}, "legal", None, True),
    "a wish where an earlier rule leaves the choice": ((LAWYERS, PINNED), {"law"}, "clinic", "clinic", False),
    "a wish that the rule for everybody shares": (
        (PINNED.replace("none", "legal"),), set(), "legal", "legal", False,
    ),
    "another one for everybody": ((PINNED.replace("none", "clinic"),), set(), "legal", "clinic", True),
    "a rule with an adapter that is not there": ((RULE % ("gone", "gone", ""), LAWYERS), {"law"}, None, None, False),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "tags", "wish", "adapter", "told"), CHOICES.values(), ids=CHOICES.keys())
def test_which_adapter_answers(
    rules: tuple[str, ...],
    tags: set[str],
    wish: str | None,
    adapter: str | None,
    told: bool,
    policy: Any,
    ask: Any,
    facts: Any,
    found: Any,
) -> None:
    request = ask(tags=frozenset(tags), adapter=wish, local_only=wish is not None)
    decision = policy(*rules).decide(request, facts(findings=(found("iban", "financial"),)))
    assert decision.adapter == adapter
    assert (decision.notice is not None) is told
    if told:
        assert "'legal'" in decision.notice
    assert (decision.zone, decision.backend) == (Zone.LOCAL, "smollm2")


def test_the_reasons_name_who_chose(policy: Any, ask: Any, facts: Any) -> None:
    by_rule = policy(LAWYERS).decide(ask(tags=frozenset({"law"})), facts())
    assert by_rule.reasons[-1] == "adapters 'lawyers' chooses 'legal'"
    by_client = policy(LAWYERS).decide(ask(adapter="clinic", local_only=True), facts())
    assert by_client.reasons[-1] == "the client asked for adapter 'clinic'"
    gone = policy(RULE % ("gone", "gone", "")).decide(ask(), facts())
    assert gone.reasons[-1] == "adapters 'gone' chooses 'gone', which 'smollm2' does not have"


# selector → facts for which it holds, and for which it does not (not known is a no)
SELECTORS: dict[str, tuple[str, dict[str, Any], dict[str, Any]]] = {
    "from a level": ("sensitivity: {at_least: confidential}", {"kind": "iban"}, {}),
    "up to a level": ("sensitivity: {at_most: internal}", {}, {"kind": "iban"}),
    "a kind": ("kinds: [iban]", {"kind": "iban"}, {"kind": "bank_account"}),
    "a category": ("categories: [financial]", {"kind": "iban"}, {}),
    "a language": ("language: {in: [en]}", {"language": "en"}, {"language": "it"}),
    "a language nobody can tell": ("language: {not_in: [it]}", {"language": "en"}, {"language": None}),
    "a category in what could not be read": ("categories: [financial]", {"kind": "iban"}, {"unread": True}),
    "a need": ("needs: {any_of: [schema]}", {"needs": Needs(schema=True)}, {}),
    "hard ones": ("complexity: {at_least: 0.5}", {"gain": 0.9}, {"gain": 0.1}),
    "hard ones nobody could score": ("complexity: {at_most: 0.5}", {"gain": 0.1}, {"gain": None}),
}


@pytest.mark.parametrize(("selector", "yes", "no"), SELECTORS.values(), ids=SELECTORS.keys())
def test_a_rule_holds_if_all_it_asks_is_a_clear_yes(
    selector: str, yes: dict[str, Any], no: dict[str, Any], policy: Any, ask: Any, facts: Any, found: Any
) -> None:
    it = policy(RULE % ("it", "legal", selector), head="floor: notice\n")

    def adapter(kind: str | None = None, unread: bool = False, **given: Any) -> str | None:
        findings = (found(kind, "financial"),) if kind else ()
        unreadable = (Unreadable("$", "deadline"),) if unread else ()
        decision = it.decide(ask(), facts(findings=findings, unreadable=unreadable, **given))
        assert decision.refusal is None
        return decision.adapter

    assert adapter(**yes) == "legal"
    assert adapter(**no) is None


def test_where_the_local_model_may_step_in_it_does_so_with_the_adapter(policy: Any, ask: Any, facts: Any) -> None:
    out = "permit: [{name: out, zone: remote, when: {sensitivity: {at_most: internal}}%s}]\n"
    with_local = policy(LAWYERS, head=out % "").decide(ask(tags=frozenset({"law"})), facts())
    assert (with_local.zone, with_local.adapter) == (Zone.REMOTE, "legal")
    without = policy(LAWYERS, head=out % ", fallback: none").decide(ask(tags=frozenset({"law"})), facts())
    assert (without.zone, without.adapter) == (Zone.REMOTE, None)


def test_a_refused_request_has_no_adapter(policy: Any, ask: Any, facts: Any) -> None:
    decision = policy(LAWYERS).decide(ask(tags=frozenset({"law"})), facts(language="it"))
    assert (decision.refusal, decision.adapter) == ("local_model_unfit", None)


def test_a_notice_of_the_floor_stays_beside_that_of_the_adapter(policy: Any, ask: Any, facts: Any) -> None:
    it = policy(PINNED, head="floor: notice\n")
    decision = it.decide(ask(adapter="legal", local_only=True), facts(language="it"))
    assert decision.notice == (
        "answered by local model 'smollm2', which does not speak 'it'; "
        "answered with the bare model, not with adapter 'legal', as the policy says"
    )


def test_the_explanation_shows_every_rule_and_why_it_holds_or_not(policy: Any, ask: Any, facts: Any) -> None:
    told = explain(policy(DOCTORS, LAWYERS, PINNED), ask(tags=frozenset({"law"})), facts())
    assert [(rule["name"], rule["adapter"], rule["always"], rule["matched"]) for rule in told["adapters"]] == [
        ("doctors", "clinic", False, False),
        ("lawyers", "legal", False, True),
        ("everybody", "none", True, True),
    ]
    assert told["adapters"][1]["conditions"] == [
        {"field": "tag", "want": {"in": ["law"]}, "have": ["law"], "holds": True}
    ]
    assert told["decision"]["adapter"] == "legal"


def test_a_record_made_before_there_were_adapters_is_decided_again(policy: Any, ask: Any, facts: Any) -> None:
    recorded = facts_of(ask(), facts())
    del recorded["adapter"]
    assert replay(policy(LAWYERS), recorded).adapter is None


def test_a_policy_without_adapters_keeps_the_digest_that_old_records_name(compiled: Any) -> None:
    text = "name: x\nforbid: [{name: in, zone: remote, when: {kinds: [iban]}}]\n"
    digest = "822e324c6a043511b319a5fda00a09c5527bddc3f33884ec77a4d9451ca9654b"
    assert compiled(text).digest == compiled(text + "adapters: []\n").digest == digest
    assert compiled(text + "adapters:\n" + LAWYERS, BACKENDS).digest != digest


MISTAKES = {
    "a rule without an adapter": ("  - {name: it}\n", ["adapters 'it', adapter: is missing"]),
    "a name that stands in another section": (
        LAWYERS + "forbid: [{name: lawyers, zone: remote}]\n", ["rule 'lawyers'", "2 rules have this name"],
    ),
    "a blank when": ("  - name: it\n    adapter: legal\n    when:\n", ["adapters 'it', when", "leave `when` out"]),
    "an empty selector": (RULE % ("it", "legal", "tag: {}"), ["adapters 'it', when.tag: it is empty"]),
    "an empty level": (RULE % ("it", "legal", "sensitivity: {}"), ["adapters 'it', when.sensitivity: it is empty"]),
    "an unknown field": ("  - {name: it, adapter: legal, zone: remote}\n", ["adapters 'it', zone: there is no such"]),
    "an unknown selector": (RULE % ("it", "legal", "distinct: {of: [a], at_least: 1}"), ["'it', when.distinct"]),
    "a name no header can carry": (RULE % ("it", "'a b'", ""), ["adapters 'it', adapter"]),
    "a time of nowhere": (RULE % ("it", "legal", "time: {days: [mon], tz: Europe/Rom}"), ["'it', when.time.tz"]),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "told"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_mistake_is_told_with_its_place(rules: str, told: list[str], policy: Any) -> None:
    with pytest.raises(ConfigurationError) as caught:
        policy(rules)
    assert "\n" not in str(caught.value)
    for part in told:
        assert part in str(caught.value)


WARNINGS = {
    "an adapter nobody has": (RULE % ("it", "gone", ""), "the local model has no adapter 'gone'; it answers without"),
    "behind one for everybody": (PINNED + LAWYERS, "adapters 'lawyers': it never counts, because 'everybody' before"),
    "an impossible one": (
        RULE % ("it", "legal", "complexity: {at_least: 0.9, at_most: 0.1}"), "adapters 'it': it never counts: complex",
    ),
    "a kind that no detector finds": (
        RULE % ("it", "legal", "kinds: [ibam]"), "adapters 'it': no detector finds kind 'ibam'; did you mean 'iban'?",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "told"), WARNINGS.values(), ids=WARNINGS.keys())
def test_what_may_not_mean_what_its_author_thinks_is_a_warning(rules: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("name: x\nadapters:\n" + rules, encoding="utf-8")
    words = Vocabulary(frozenset({"iban", "email"}), frozenset({"financial", "contact"}), frozenset())
    report = check_policy(path, BACKENDS, words)
    assert report.ok
    assert len(report.warnings) == 1
    assert told in report.warnings[0]


def test_a_running_gateway_is_told_of_an_adapter_nobody_has(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("name: x\nadapters:\n" + LAWYERS, encoding="utf-8")
    assert load_policy(path, BACKENDS).warnings == ()
    (warning,) = load_policy(path, CATALOGUE).warnings
    assert "adapters 'lawyers': the local model has no adapter 'legal'" in warning


CASES = """
cases:
  - {note: lawyers, messages: [{role: user, content: hi}], tags: [law], want: {adapter: legal, zone: local}}
  - {note: others, messages: [{role: user, content: hi}], tags: [x], want: {adapter: none}}
  - {note: a wish, messages: [{role: user, content: hi}], model: "local:clinic", want: {adapter: clinic, zone: local}}
  - {note: by its name, messages: [{role: user, content: hi}], model: "smollm2:legal", want: {adapter: legal}}
  - note: its own backends
    messages: [{role: user, content: hi}]
    model: local:own
    backends: [{name: small, zone: local, adapters: [own]}]
    want: {adapter: own}
  - {note: wrong, messages: [{role: user, content: hi}], want: {adapter: legal}}
  - {note: unknown, messages: [{role: user, content: hi}], model: "local:gone", want: {}}
"""


@pytest.mark.anyio
async def test_cases_may_want_an_adapter_and_ask_for_one(tmp_path: Path, detector: Any, scorer: Any) -> None:
    policy, cases = tmp_path / "p.yaml", tmp_path / "p.cases.yaml"
    policy.write_text("name: x\nadapters:\n" + LAWYERS, encoding="utf-8")
    cases.write_text(CASES, encoding="utf-8")
    results = await run_cases(policy, cases, detector=detector, scorer=scorer, backends=BACKENDS)
    assert {result.note: result.differences for result in results if not result.passed} == {
        "wrong": ("adapter: want legal, have None",),
        "unknown": ("model: the local model has no adapter 'gone'",),
    }

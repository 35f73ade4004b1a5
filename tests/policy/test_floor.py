"""The floor: what must stay and is answered badly here is refused, noted, sent to the house's own servers, or waits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import ConfigurationError
from gateway.core.types import Decision, Needs, Sensitivity, Unreadable
from gateway.policy.cases import CATALOGUE, run_cases
from gateway.policy.check import check_policy
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.explain import explain

Compiled = Callable[..., CompiledPolicy]
LOCAL, HOUSE = CATALOGUE[0], CATALOGUE[1]


def floor(then: str, below: str = "below: 0.6, ", rest: str = "") -> str:
    return f"name: x\nfloor: {{{below}then: {then}}}\n{rest}"


def ways(decision: Decision) -> list[str]:
    return [way.backend for way in decision.allowed]


# ── Refused or noted ────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_the_local_model_was_measured_to_answer_badly_is_refused(compiled: Compiled, ask: Any, facts: Any) -> None:
    decision = compiled(floor("refuse")).decide(ask(), facts(competence=0.41, family="maths"))
    assert (decision.refusal, decision.allowed) == ("local_model_unfit", ())
    assert "answered 41 % of such requests (maths in 'en') well when it was measured, and the floor is 60 %" in (
        decision.refusal_detail
    )


@pytest.mark.parametrize(
    ("text", "competence", "refused"),
    [
        pytest.param(floor("refuse"), 0.59, True, id="below"),
        pytest.param(floor("refuse"), 0.6, False, id="at the floor"),
        pytest.param(floor("refuse"), None, False, id="never measured"),
        pytest.param(floor("refuse"), float("nan"), False, id="no number"),
        pytest.param(floor("refuse", below=""), 0.1, False, id="no measure is asked for"),
        pytest.param("name: x\nfloor: refuse\n", 0.1, False, id="the word alone"),
    ],
)
def test_the_line_is_where_the_policy_draws_it(
    text: str, competence: float | None, refused: bool, compiled: Compiled, ask: Any, facts: Any
) -> None:
    assert bool(compiled(text).decide(ask(), facts(competence=competence)).refusal) is refused


def test_a_notice_says_how_well_such_requests_are_answered(compiled: Compiled, ask: Any, facts: Any) -> None:
    decision = compiled(floor("notice")).decide(ask(), facts(competence=0.41, family="code"))
    assert ways(decision) == [LOCAL.name]
    assert decision.notice is not None
    assert "answered by local model 'smollm2', which answered 41 % of such requests (code in 'en')" in decision.notice


@pytest.mark.parametrize("then", ["refuse", "notice", "private", "queue"])
def test_the_language_rule_is_that_of_old(then: str, compiled: Compiled, ask: Any, facts: Any) -> None:
    decision = compiled(floor(then, below="")).decide(ask(), facts(language="it"))
    if then == "refuse":
        assert "does not speak 'it'" in decision.refusal_detail
    elif then == "notice":
        assert decision.notice == "answered by local model 'smollm2', which does not speak 'it'"
    else:
        assert ways(decision) == ["house"]


@pytest.mark.parametrize("needs", [Needs(schema=True), Needs(tools=True), Needs()], ids=["schema", "tools", "text"])
@pytest.mark.parametrize("then", ["refuse", "notice", "private", "queue"])
def test_a_form_to_be_filled_passes_the_same_floor(
    then: str, needs: Needs, compiled: Compiled, ask: Any, facts: Any
) -> None:
    decision = compiled(floor(then)).decide(ask(), facts(competence=0.2, needs=needs, family="extract"))
    expected = {"refuse": [], "notice": [LOCAL.name]}.get(then, ["house"])
    assert ways(decision) == expected
    assert (decision.refusal is None, decision.notice is None) == (then != "refuse", then != "notice")


def test_what_may_leave_and_lies_below_the_floor_goes_out(compiled: Compiled, ask: Any, facts: Any) -> None:
    rest = (
        "permit: [{name: out, zone: remote, when: {sensitivity: {at_most: internal}, beyond_local: true}}]\n"
        "forbid: [{name: not-mine, zone: private, when: {tenant: {in: [mine]}}}]\n"
    )
    policy = compiled(floor("refuse", rest=rest))
    assert policy.decide(ask(), facts(competence=0.2)).rule == "out"
    assert policy.decide(ask(), facts(competence=0.9)).rule == "default"
    assert policy.decide(ask(), facts()).rule == "default"
    assert policy.decide(ask(tenant="mine"), facts(competence=0.2)).refusal == "local_model_unfit"


def test_nothing_falls_back_to_a_model_below_the_floor(compiled: Compiled, ask: Any, facts: Any) -> None:
    rest = "permit: [{name: out, zone: remote, when: {sensitivity: {at_most: internal}}}]\n"
    for then in ("refuse", "notice", "private", "queue"):
        decide = compiled(floor(then, rest=rest)).decide
        assert LOCAL.name not in ways(decide(ask(), facts(competence=0.2)))
        assert LOCAL.name in ways(decide(ask(), facts(competence=0.8)))


# ── The house's own servers ─────────────────────────────────────────────────────────────────────────────────────────


FOUND = {
    "nothing": (),
    "a name": (("person", "person"),),
    "an account": (("iban", "financial"),),
    "an illness": (("health_fact", "health"),),
    "a key": (("github_token", "secret"), ("iban", "financial")),
}


@pytest.mark.parametrize("findings", FOUND.values(), ids=FOUND.keys())
@pytest.mark.parametrize("then", ["private", "queue"])
def test_below_the_floor_it_goes_to_the_houses_own_servers_whatever_was_found(
    then: str, findings: Any, compiled: Compiled, ask: Any, facts: Any, found: Any
) -> None:
    known = facts(competence=0.2, findings=tuple(found(*each) for each in findings))
    decision = compiled(floor(then)).decide(ask(), known)
    assert (ways(decision), decision.rule, decision.cacheable) == (["house"], "floor", False)
    assert decision.wait_s == (30 if then == "queue" else 0)
    assert "permit 'floor' lets it out to private" in decision.reasons


STAYS = {
    "above the floor": ({"competence": 0.9}, {}, "", None),
    "never measured": ({}, {}, "", None),
    "not read": ({"competence": 0.2, "unreadable": (Unreadable("$", "deadline"),)}, {}, "", "local_model_unfit"),
    "the client says it is unknown": ({"competence": 0.2}, {"at_least": Sensitivity.UNKNOWN}, "", "local_model_unfit"),
    "the client asked for local": ({"competence": 0.2}, {"local_only": True}, "", "local_model_unfit"),
    "a forbid": ({"competence": 0.2}, {}, "forbid: [{name: in, zone: private, when: {tenant: {in: [default]}}}]\n",
                 "local_model_unfit"),
}  # fmt: skip


@pytest.mark.parametrize(("known", "asked", "rest", "refusal"), STAYS.values(), ids=STAYS.keys())
def test_where_the_floor_ends_it_stays(
    known: Any, asked: Any, rest: str, refusal: str | None, compiled: Compiled, ask: Any, facts: Any
) -> None:
    decision = compiled(floor("queue", rest=rest)).decide(ask(**asked), facts(**known))
    assert (str(decision.zone), decision.refusal, decision.wait_s) == ("local", refusal, 0)


def test_a_forbid_for_vendors_leaves_the_floor_open(compiled: Compiled, ask: Any, facts: Any, found: Any) -> None:
    rest = "forbid: [{name: never, zone: remote}]\n"
    assert ways(compiled(floor("private", rest=rest)).decide(ask(), facts(competence=0.2))) == ["house"]


def test_without_a_server_that_can_it_is_refused(compiled: Compiled, ask: Any, facts: Any) -> None:
    blind = [LOCAL, replace(HOUSE, tools=False)]
    for backends in ([LOCAL], blind):
        decision = compiled(floor("queue"), backends).decide(ask(), facts(competence=0.2, needs=Needs(tools=True)))
        assert decision.refusal == "local_model_unfit"


def test_what_the_local_model_cannot_do_at_all_goes_there_too(compiled: Compiled, ask: Any, facts: Any) -> None:
    long = facts(needs=Needs(context=100_000), tokens=99_000)
    assert compiled(floor("refuse")).decide(ask(), long).refusal == "context_length_exceeded"
    assert ways(compiled(floor("private", below="")).decide(ask(), long)) == ["house"]


def test_a_harder_request_that_may_leave_still_leaves(compiled: Compiled, ask: Any, facts: Any) -> None:
    rest = "permit: [{name: out, zone: remote, when: {sensitivity: {at_most: internal}}, to: [large]}]\n"
    decision = compiled(floor("queue", rest=rest)).decide(ask(), facts(competence=0.2))
    assert (ways(decision), decision.wait_s) == (["large", "house"], 0), "who may leave does not wait"


def test_waiting_is_for_what_lies_below_and_not_for_every_request_to_the_house(
    compiled: Compiled, ask: Any, facts: Any
) -> None:
    rest = "permit: [{name: house, zone: private, when: {sensitivity: {at_most: restricted}}}]\n"
    policy = compiled("name: x\nfloor: {below: 0.6, then: queue, wait_s: 12.5}\n" + rest)
    assert policy.decide(ask(), facts(competence=0.2)).wait_s == 12.5
    assert policy.decide(ask(), facts(competence=0.9)).wait_s == 0


def test_an_explanation_shows_the_floor_as_the_permit_it_is(compiled: Compiled, ask: Any, facts: Any) -> None:
    told = explain(compiled(floor("private")), ask(), facts(competence=0.41, family="maths"))
    (permit,) = told["permits"]
    assert (permit["name"], permit["zone"], permit["matched"]) == ("floor", "private", True)
    assert permit["conditions"][1]["said"].startswith("the local model answered 41 % of such requests (maths in 'en')")
    told = explain(compiled(floor("private")), ask(), facts(competence=0.9))
    assert told["permits"][0]["conditions"][1]["said"] == "the local model is up to it"
    assert "permit 'floor': the local model is up to it" in told["decision"]["reasons"]


# ── What may be written ─────────────────────────────────────────────────────────────────────────────────────────────

MISTAKES = {
    "a word that is none": ("floor: guess\n", "say refuse or notice, or for example {below: 0.6, then: private}"),
    "private as a word": ("floor: private\n", "{below: 0.6, then: private}"),
    "no consequence": ("floor: {below: 0.6}\n", "say refuse, notice, private or queue"),
    "a consequence that is none": ("floor: {then: guess}\n", "say refuse, notice, private or queue"),
    "waiting for nothing": ("floor: {then: private, wait_s: 5}\n", "floor.wait_s: private waits for nothing"),
    "waiting for ever": ("floor: {then: queue, wait_s: 1e9}\n", "floor.wait_s: say for how many seconds"),
    "a floor of nothing": ("floor: {below: 0, then: refuse}\n", "floor.below"),
    "a misspelt field": ("floor: {than: refuse}\n", "floor.than"),
    "its name taken": (
        "floor: {then: private}\nforbid: [{name: floor, zone: remote}]\n", "forbid 'floor': the name is that of",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "told"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_floor_that_means_nothing_is_refused_with_the_way_out(text: str, told: str, compiled: Compiled) -> None:
    with pytest.raises(ConfigurationError) as caught:
        compiled("name: x\n" + text)
    assert told in str(caught.value)


def test_the_name_is_free_where_the_floor_is_no_permit(compiled: Compiled) -> None:
    assert compiled(floor("refuse", rest="forbid: [{name: floor, zone: remote}]\n")).forbids[0].name == "floor"


def test_the_words_are_short_for_what_they_say(compiled: Compiled) -> None:
    assert compiled("name: x\n").floor == compiled("name: x\nfloor: {then: refuse}\n").floor


WARNED = {
    "no server": (floor("queue"), [LOCAL, CATALOGUE[2]], "floor: there is no backend of zone private yet, so queue"),
    "always forbidden": (
        floor("private", rest="forbid: [{name: in, zone: private}]\n"), CATALOGUE, "forbid 'in' always keeps",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("text", "backends", "told"), WARNED.values(), ids=WARNED.keys())
def test_a_floor_that_leads_nowhere_is_a_warning(text: str, backends: Any, told: str, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(text, encoding="utf-8")
    report = check_policy(path, backends)
    assert report.ok
    assert [told in warning for warning in report.warnings] == [True]


@pytest.mark.anyio
async def test_a_case_may_say_how_well_the_local_model_does(tmp_path: Path, detector: Any, scorer: Any) -> None:
    policy, cases = tmp_path / "p.yaml", tmp_path / "p.cases.yaml"
    policy.write_text(floor("queue"), encoding="utf-8")
    rows = [
        "{note: bad, text: hi, language: en, family: maths, competence: 0.2, want: {zone: private, wait_s: 30}}",
        "{note: good, text: hi, language: en, family: chat, competence: 0.9, want: {zone: local, wait_s: 0}}",
        "{note: wrong, text: hi, language: en, competence: 0.9, want: {wait_s: 30}}",
    ]
    cases.write_text("cases:\n" + "".join(f"  - {row}\n" for row in rows), encoding="utf-8")
    results = await run_cases(policy, cases, detector=detector, scorer=scorer)
    assert [result.differences for result in results] == [(), (), ("wait_s: want 30.0, have 0.0",)]

"""Where requests go: the semantics of permits and forbids, one sentence each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from gateway.core.types import BackendSpec, Decision, Needs, Sensitivity, Unreadable, Zone
from gateway.policy.cases import CATALOGUE

LOCAL, HOUSE, LARGE, EU = CATALOGUE
Compiled = Callable[..., Any]


def permit(when: str = "", rest: str = "", zone: str = "remote", level: str = "internal", name: str = "out") -> str:
    more = f", {when}" if when else ""
    return (
        f"  - {{name: {name}, zone: {zone}, when: {{sensitivity: {{at_most: {level}}}{more}}}{rest and ', '}{rest}}}\n"
    )


def policy(*permits: str, forbid: str = "", rest: str = "") -> str:
    return "name: x\n" + (("permit:\n" + "".join(permits)) if permits else "") + forbid + rest


def names(decision: Decision) -> list[str]:
    return [way.backend for way in decision.allowed]


def test_silence_means_local(compiled: Compiled, ask: Any, facts: Any) -> None:
    decision = compiled("name: x\n").decide(ask(), facts())
    assert (decision.zone, decision.rule, decision.backend, names(decision)) == (
        Zone.LOCAL, "default", "smollm2", ["smollm2"],
    )  # fmt: skip


def test_a_permit_for_a_zone_permits_the_zones_inside_it(compiled: Compiled, ask: Any, facts: Any) -> None:
    decision = compiled(policy(permit())).decide(ask(), facts())
    assert (decision.zone, decision.rule) == (Zone.REMOTE, "out")
    assert names(decision) == ["large", "large-eu", "house", "smollm2"]
    assert [way.zone for way in decision.allowed] == [Zone.REMOTE, Zone.REMOTE, Zone.PRIVATE, Zone.LOCAL]


def test_a_forbid_for_a_zone_forbids_the_zones_beyond_it(compiled: Compiled, ask: Any, facts: Any) -> None:
    kept = compiled(policy(permit(), forbid="forbid: [{name: in, zone: private}]\n")).decide(ask(), facts())
    assert (kept.zone, names(kept)) == (Zone.LOCAL, ["smollm2"])
    near = compiled(policy(permit(), forbid="forbid: [{name: in, zone: remote}]\n")).decide(ask(), facts())
    assert (near.zone, near.rule, names(near)) == (Zone.PRIVATE, "out", ["house", "smollm2"])
    assert "forbid 'in' keeps it from remote" in near.reasons


UNKNOWN_FACTS = {
    "complexity": ("complexity: {at_least: 0.0}", {"gain": None}, {}),
    "a complexity that is no number": ("complexity: {at_least: 0.0}", {"gain": float("nan")}, {}),
    "an endless complexity": ("complexity: {at_least: 0.0}", {"gain": float("inf")}, {}),
    "rank": ("rank: {at_most: 1.0}", {"rank": None}, {}),
    "tokens": ("tokens: {at_most: 100}", {"tokens": 0}, {}),
    "language": ("language: {not_in: [it]}", {"language": None}, {}),
    "a doubtful language": ("language: {in: [en]}", {"language_confidence": 0.49}, {}),
    "a language doubted in NaN": ("language: {in: [en]}", {"language_confidence": float("nan")}, {}),
    "role": ("role: {not_in: [guest]}", {}, {}),
    "tag": ("tag: {not_in: [hr]}", {}, {}),
    "purpose": ("purpose: {not_in: [audit]}", {}, {}),
    "tenant": ("tenant: {not_in: [a]}", {}, {"tenant": ""}),
    "time": ("time: {days: [mon, tue, wed, thu, fri, sat, sun]}", {}, {}),
    "a time beyond calendars": ("time: {hours: '00:00-23:59'}", {}, {"received_at": 1e300}),
    "beyond_local": ("beyond_local: true", {"language": None}, {}),
    "the contrary of beyond_local": ("beyond_local: false", {"language": None}, {}),
}


@pytest.mark.parametrize(("when", "known", "asked"), UNKNOWN_FACTS.values(), ids=UNKNOWN_FACTS.keys())
def test_a_fact_that_is_not_known_closes_a_permit_and_fires_a_forbid(
    when: str, known: dict[str, Any], asked: dict[str, Any], compiled: Compiled, ask: Any, facts: Any
) -> None:
    closed = compiled(policy(permit(when))).decide(ask(**asked), facts(**known))
    assert closed.zone is Zone.LOCAL
    assert any("not known" in reason for reason in closed.reasons)
    forbid = f"forbid: [{{name: in, zone: private, when: {{{when}}}}}]\n"
    assert compiled(policy(permit(), forbid=forbid)).decide(ask(**asked), facts(**known)).zone is Zone.LOCAL


HOLDS = {
    "complexity from below": ("complexity: {at_least: 0.9}", {}, {}, True),
    "complexity from above": ("complexity: {at_most: 0.89}", {}, {}, False),
    "rank": ("rank: {at_least: 0.5, at_most: 0.7}", {"rank": 0.6}, {}, True),
    "tokens": ("tokens: {at_most: 19}", {}, {}, False),
    "tenant in": ("tenant: {in: [a, b]}", {}, {"tenant": "b"}, True),
    "tenant not in": ("tenant: {not_in: [a, b]}", {}, {"tenant": "b"}, False),
    "one role of several": ("role: {in: [a]}", {}, {"roles": frozenset("ab")}, True),
    "no role of these": ("role: {not_in: [a]}", {}, {"roles": frozenset("bc")}, True),
    "a role of these": ("role: {in: [b], not_in: [a]}", {}, {"roles": frozenset("ab")}, False),
    "tag": ("tag: {in: [a]}", {}, {"tags": frozenset("a")}, True),
    "purpose": ("purpose: {in: [support]}", {}, {"purpose": "support"}, True),
    "model": ("model: {in: [auto]}", {}, {}, True),
    "language": ("language: {not_in: [it]}", {}, {}, True),
    "named": ("named: true", {}, {"model": "large"}, True),
    "named, of another zone": ("named: true", {}, {"model": "house"}, False),
    "not named": ("named: false", {}, {"model": "large"}, False),
    "beyond local by language": ("beyond_local: true", {"language": "it"}, {}, True),
    "beyond local by need": ("beyond_local: true", {"language": None, "needs": Needs(image=True)}, {}, True),
    "within reach": ("beyond_local: false", {}, {}, True),
    "a need": ("needs: {any_of: [tools, image]}", {"needs": Needs(tools=True)}, {}, True),
    "no such need": ("needs: {none_of: [tools]}", {"needs": Needs(tools=True)}, {}, False),
    "office hours": (
        "time: {hours: '08:00-18:00', days: [sat], tz: Europe/Rome}",
        {},
        {"received_at": 1795244400},
        True,
    ),
    "after hours": ("time: {hours: '08:00-18:00', tz: America/New_York}", {}, {"received_at": 1795244400}, False),
    "through the night": ("time: {hours: '22:00-09:00'}", {}, {"received_at": 1795244400}, True),
    "another day": ("time: {days: [sun]}", {}, {"received_at": 1795244400}, False),
}  # 1795244400 is Saturday 2026-11-21 07:00 UTC, 08:00 in Rome, 02:00 in New York


@pytest.mark.parametrize(("when", "known", "asked", "holds"), HOLDS.values(), ids=HOLDS.keys())
def test_a_selector_says_yes_or_no_to_a_known_fact(
    when: str, known: dict[str, Any], asked: dict[str, Any], holds: bool, compiled: Compiled, ask: Any, facts: Any
) -> None:
    decision = compiled(policy(permit(when))).decide(ask(**asked), facts(**known))
    assert decision.zone is (Zone.REMOTE if holds else Zone.LOCAL)
    forbid = f"forbid: [{{name: in, zone: remote, when: {{{when}}}}}]\n"
    forbidden = compiled(policy(permit(), forbid=forbid)).decide(ask(**asked), facts(**known))
    assert any("forbid 'in'" in reason for reason in forbidden.reasons) is holds


FOUND = {
    "within": ("categories: {within: [person, contact]}", True),
    "not within": ("categories: {within: [person]}", False),
    "nothing may be found": ("kinds: {within: []}", False),
    "none of": ("kinds: {none_of: [iban]}", True),
    "one of": ("kinds: {none_of: [email]}", False),
    "few enough": ("distinct: {of: [contact, person], at_most: 2}", True),
    "too many": ("distinct: {of: [contact, name], at_most: 1}", False),
}


@pytest.mark.parametrize(("when", "holds"), FOUND.values(), ids=FOUND.keys())
def test_a_permit_bounds_what_was_found(
    when: str, holds: bool, compiled: Compiled, ask: Any, facts: Any, found: Any
) -> None:
    findings = (found("name", "person"), found("email", "contact", value_id=2), found("email", "contact", value_id=2))
    out = compiled(policy(permit(when, level="confidential")))
    assert out.decide(ask(), facts(findings=findings)).zone is (Zone.REMOTE if holds else Zone.LOCAL)
    assert out.decide(ask(), facts()).zone is Zone.REMOTE


FORBIDDEN = {
    "category": ("categories: [contact]", True),
    "another category": ("categories: {any_of: [health]}", False),
    "kind": ("kinds: {any_of: [email]}", True),
    "kind, surely": ("kinds: [email], min_confidence: 0.7", False),
    "enough of them": ("distinct: {of: [contact], at_least: 2}", True),
    "not enough of them": ("distinct: {of: [contact], at_least: 3}", False),
    "not enough for sure": ("distinct: {of: [contact], at_least: 1}, min_confidence: 0.7", False),
    "level": ("sensitivity: {at_least: confidential}", True),
    "two selectors, one of them not met": ("categories: [contact], tenant: {in: [hr]}", False),
}


@pytest.mark.parametrize(("when", "holds"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
def test_a_forbid_fires_on_what_was_found(
    when: str, holds: bool, compiled: Compiled, ask: Any, facts: Any, found: Any
) -> None:
    findings = tuple(found("email", "contact", value_id=number, confidence=0.6) for number in (1, 2, 2))
    text = policy(permit(level="restricted"), forbid=f"forbid: [{{name: in, zone: remote, when: {{{when}}}}}]\n")
    assert (compiled(text).decide(ask(), facts(findings=findings)).zone is Zone.PRIVATE) is holds


def test_a_doubtful_confidence_counts_as_certain(compiled: Compiled, ask: Any, facts: Any, found: Any) -> None:
    forbid = "forbid: [{name: in, zone: private, when: {kinds: [email], min_confidence: 0.9}}]\n"
    doubted = (found("email", "contact", confidence=float("nan")),)
    kept = compiled(policy(permit(level="restricted"), forbid=forbid)).decide(ask(), facts(findings=doubted))
    assert kept.zone is Zone.LOCAL


def test_unknown_goes_to_private_only_where_a_permit_says_so_and_never_to_remote(
    compiled: Compiled, ask: Any, facts: Any
) -> None:
    unread = facts(unreadable=(Unreadable("$", "deadline"),))
    assert compiled(policy(permit(level="restricted"))).decide(ask(), unread).zone is Zone.LOCAL
    decision = compiled(policy(permit(level="unknown"))).decide(ask(), unread)
    assert (decision.zone, decision.level) == (Zone.PRIVATE, Sensitivity.UNKNOWN)
    assert names(decision) == ["house", "smollm2"]
    assert "unreadable (deadline) → unknown" in decision.reasons


def test_what_could_not_be_read_may_hold_anything(compiled: Compiled, ask: Any, facts: Any) -> None:
    unread = facts(unreadable=(Unreadable("$", "deadline"),))
    for when in ("kinds: {none_of: [iban]}", "categories: {within: []}", "distinct: {of: [person], at_most: 9}"):
        assert compiled(policy(permit(when, level="unknown"))).decide(ask(), unread).zone is Zone.LOCAL
    for when in ("kinds: [iban]", "categories: [health]", "distinct: {of: [person], at_least: 9}"):
        forbid = f"forbid: [{{name: in, zone: private, when: {{{when}}}}}]\n"
        assert compiled(policy(permit(level="unknown"), forbid=forbid)).decide(ask(), unread).zone is Zone.LOCAL


def test_a_list_of_backends_is_a_fence_in_its_zone_and_an_order(compiled: Compiled, ask: Any, facts: Any) -> None:
    only_eu = compiled(policy(permit(rest="to: [large-eu]")))
    assert names(only_eu.decide(ask(), facts())) == ["large-eu", "house", "smollm2"]
    assert names(only_eu.decide(ask(model="large"), facts())) == ["large-eu", "house", "smollm2"]
    turned = compiled(policy(permit(rest="to: [large-eu, large]")))
    assert names(turned.decide(ask(), facts()))[:2] == ["large-eu", "large"]
    both = compiled(policy(permit(rest="to: [large]", name="b"), permit(rest="to: [large-eu]", name="a")))
    assert names(both.decide(ask(), facts()))[:2] == ["large-eu", "large"]
    assert [way.rule for way in both.decide(ask(), facts()).allowed[:2]] == ["a", "b"]


def test_the_named_backend_comes_first(compiled: Compiled, ask: Any, facts: Any) -> None:
    decision = compiled(policy(permit(rest="to: [large, large-eu]"))).decide(ask(model="large-eu"), facts())
    assert names(decision) == ["large-eu", "large", "house", "smollm2"]


def test_naming_a_nearer_backend_is_a_wish_to_stay_near(compiled: Compiled, ask: Any, facts: Any) -> None:
    out = compiled(policy(permit()))
    assert names(out.decide(ask(model="house"), facts())) == ["house", "smollm2"]
    assert names(out.decide(ask(model="smollm2"), facts())) == ["smollm2"]
    assert names(out.decide(ask(local_only=True), facts())) == ["smollm2"]


def test_a_zone_that_cannot_serve_gives_way_to_the_next(compiled: Compiled, ask: Any, facts: Any) -> None:
    blind = [replace(spec, tools=spec.zone is not Zone.REMOTE) for spec in CATALOGUE]
    decision = compiled(policy(permit()), blind).decide(ask(), facts(needs=Needs(tools=True)))
    assert (decision.zone, names(decision)) == (Zone.PRIVATE, ["house", "smollm2"])
    assert "backend 'large' cannot serve it: tools" in decision.reasons
    english = [replace(spec, languages=frozenset({"en"})) if spec is LARGE else spec for spec in CATALOGUE]
    assert names(compiled(policy(permit()), english).decide(ask(), facts(language="it"))) == ["large-eu", "house"]


def test_local_is_a_fallback_only_where_all_permits_say_so_and_it_can(compiled: Compiled, ask: Any, facts: Any) -> None:
    none = permit(rest="fallback: none", name="b")
    assert "smollm2" not in names(compiled(policy(permit(), none)).decide(ask(), facts()))
    assert "smollm2" not in names(compiled(policy(permit())).decide(ask(), facts(language="it")))
    assert "smollm2" not in names(compiled(policy(permit())).decide(ask(), facts(needs=Needs(image=True))))
    near = compiled(policy(permit(), permit(rest="fallback: none", zone="private", name="b")))
    assert "smollm2" in names(near.decide(ask(), facts())), "a permit for an inner zone did not let this zone out"


def test_one_permit_without_cache_is_enough(compiled: Compiled, ask: Any, facts: Any) -> None:
    assert compiled(policy(permit())).decide(ask(), facts()).cacheable
    assert not compiled(policy(permit(), permit(rest="cache: false", name="b"))).decide(ask(), facts()).cacheable
    assert compiled(policy(permit(rest="cache: false"))).decide(ask(local_only=True), facts()).cacheable


REFUSALS: dict[str, tuple[dict[str, Any], str, str]] = {
    "an image": ({"needs": Needs(image=True)}, "unsupported_content", "and this request must stay: "),
    "an image that only the detectors saw": (
        {"unreadable": (Unreadable("$", "image"),)}, "unsupported_content", "image content",
    ),
    "a part nobody knows": ({"unreadable": (Unreadable("$", "unknown_part"),)}, "unsupported_content", "unknown type"),
    "a file and tools": ({"needs": Needs(file=True, tools=True)}, "unsupported_content", "file content"),
    "a context too long": (
        {"needs": Needs(context=5000), "tokens": 4990}, "context_length_exceeded", "more than the 4096 that",
    ),
    "a context of which nobody knows what is prompt": (
        {"needs": Needs(context=5000), "tokens": 0}, "context_length_exceeded", "more than the 4096 that",
    ),
    "a language": ({"language": "it"}, "local_model_unfit", "`gateway models pull`"),
}  # fmt: skip


@pytest.mark.parametrize(("known", "code", "detail"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_must_stay_and_cannot_be_served_is_refused_with_the_reason(
    known: dict[str, Any], code: str, detail: str, compiled: Compiled, ask: Any, facts: Any
) -> None:
    decision = compiled("name: x\n").decide(ask(), facts(**known))
    assert (decision.refusal, decision.zone, decision.rule, decision.allowed) == (code, Zone.LOCAL, "default", ())
    assert detail in decision.refusal_detail
    assert decision.backend == "smollm2"
    assert decision.notice is None
    assert any("smollm2" in reason for reason in decision.reasons)


@pytest.mark.parametrize(("ability", "need", "word"), [
    ("tools", Needs(tools=True), "tools"),
    ("schema", Needs(schema=True), "response_format"),
    ("logprobs", Needs(logprobs=True), "logprobs"),
])  # fmt: skip
def test_a_refused_parameter_is_the_first_word(
    ability: str, need: Needs, word: str, compiled: Compiled, ask: Any, facts: Any
) -> None:
    unable = BackendSpec("small", Zone.LOCAL, "llama", "m", **{ability: False})
    decision = compiled("name: x\n", [unable]).decide(ask(), facts(needs=need))
    assert (decision.refusal, decision.refusal_detail.split()[0]) == ("unsupported_parameter", word)


@pytest.mark.parametrize(("prompt", "fits"), [(20, True), (4095, True), (4096, False)])
def test_an_answer_that_may_be_longer_than_there_is_room_is_cut_and_only_a_prompt_that_does_not_fit_is_refused(
    prompt: int, fits: bool, compiled: Compiled, ask: Any, facts: Any
) -> None:
    wanted = facts(needs=Needs(context=prompt + 4096), tokens=prompt)
    decision = compiled("name: x\n").decide(ask(), wanted)
    assert decision.refusal == (None if fits else "context_length_exceeded")
    beyond = compiled(policy(permit("beyond_local: true")), [LOCAL, LARGE]).decide(ask(), wanted)
    assert beyond.zone is Zone.REMOTE, "who may leave gets all the room it asked for"


def test_no_conversation_is_too_long_for_a_local_model_that_shifts(compiled: Compiled, ask: Any, facts: Any) -> None:
    shifting = replace(LOCAL, makeshift=frozenset({"context"}))
    decision = compiled("name: x\n", [shifting]).decide(ask(), facts(needs=Needs(context=10**9)))
    assert (decision.refusal, names(decision)) == (None, ["smollm2"])
    beyond = compiled(policy(permit("beyond_local: true")), [shifting, LARGE])
    assert beyond.decide(ask(), facts(needs=Needs(context=10**9))).zone is Zone.REMOTE, "what may leave does"


KEPT: dict[str, tuple[str, dict[str, Any], dict[str, Any], str]] = {
    "kinds": ("", {}, {"kinds": ("iban", "email")}, "(found in it: email, iban)"),
    "many kinds": ("", {}, {"kinds": tuple("abcdefg")}, "(found in it: a, b, c, d, e, others)"),
    "a forbid": ("forbid: [{name: never, zone: private}]\n", {}, {}, "(forbid 'never')"),
    "no permit": ("", {}, {}, "(no permit lets a request of level internal out)"),
    "not readable": ("", {}, {"unreadable": (Unreadable("$", "deadline"),)}, "(not readable: deadline)"),
    "a wish": ("", {"local_only": True}, {}, "it asked to be answered locally"),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "asked", "known", "told"), KEPT.values(), ids=KEPT.keys())
def test_a_refusal_says_what_keeps_the_request_here(
    rules: str, asked: dict[str, Any], known: dict[str, Any], told: str,
    compiled: Compiled, ask: Any, facts: Any, found: Any,
) -> None:  # fmt: skip
    given = dict(known)
    findings = tuple(found(kind, "financial") for kind in given.pop("kinds", ()))
    decision = compiled("name: x\n" + rules).decide(ask(**asked), facts(language="it", findings=findings, **given))
    assert decision.refusal == "local_model_unfit"
    assert told in decision.refusal_detail


def test_a_refusal_after_a_permit_says_that_no_backend_could(compiled: Compiled, ask: Any, facts: Any) -> None:
    decision = compiled(policy(permit())).decide(ask(), facts(needs=Needs(audio=True)))
    assert "(no backend that it may go to can serve it)" in decision.refusal_detail


def test_a_part_that_was_read_too_late_is_answered_here(compiled: Compiled, ask: Any, facts: Any) -> None:
    decision = compiled("name: x\n").decide(ask(), facts(unreadable=(Unreadable("$", "deadline"),)))
    assert (decision.refusal, names(decision)) == (None, ["smollm2"])


def test_the_floor_may_answer_with_a_notice(compiled: Compiled, ask: Any, facts: Any) -> None:
    decision = compiled("name: x\nfloor: notice\n").decide(ask(), facts(language="it"))
    assert decision.refusal is None
    assert decision.notice == "answered by local model 'smollm2', which does not speak 'it'"
    assert names(decision) == ["smollm2"]


def test_a_doubtful_language_is_answered(compiled: Compiled, ask: Any, facts: Any) -> None:
    assert compiled("name: x\n").decide(ask(), facts(language="it", language_confidence=0.49)).refusal is None


def test_what_the_local_model_does_badly_leaves_where_it_may_and_is_done_where_it_may_not(
    compiled: Compiled, ask: Any, facts: Any
) -> None:
    policy = compiled(
        "name: x\npermit: [{name: b, zone: remote, when: {sensitivity: {at_most: internal}, beyond_local: true}}]\n",
        [replace(LOCAL, tools=False, makeshift=frozenset({"tools"})), BackendSpec("large", Zone.REMOTE, "openai", "x")],
    )
    needs = Needs(tools=True)
    assert policy.decide(ask(), facts(needs=needs)).backend == "large"
    kept = policy.decide(ask(local_only=True), facts(needs=needs))
    assert (kept.backend, kept.refusal) == (LOCAL.name, None)


def test_the_local_backend_that_can_answers(compiled: Compiled, ask: Any, facts: Any) -> None:
    two = [replace(LOCAL, tools=False), BackendSpec("gemma", Zone.LOCAL, "llama", "gemma")]
    assert compiled("name: x\n", two).decide(ask(), facts(language="it")).backend == "gemma"
    assert compiled("name: x\n", two).decide(ask(), facts(needs=Needs(tools=True))).backend == "gemma"
    assert compiled("name: x\n", two).decide(ask(), facts()).backend == "smollm2"


@pytest.mark.parametrize("wish", ["large", "house"])
def test_an_unmet_wish_is_answered_or_refused(wish: str, compiled: Compiled, ask: Any, facts: Any) -> None:
    assert compiled("name: x\n").decide(ask(model=wish), facts()).backend == "smollm2"
    refused = compiled("name: x\nunmet_wish: refuse\n").decide(ask(model=wish), facts())
    assert (refused.refusal, refused.allowed) == ("model_not_permitted", ())
    assert repr(wish) in refused.refusal_detail
    assert compiled("name: x\nunmet_wish: refuse\n").decide(ask(model="unheard-of"), facts()).refusal is None
    assert compiled("name: x\nunmet_wish: refuse\n").decide(ask(model=wish, local_only=True), facts()).refusal is None


def test_whoever_named_another_backend_is_told_which_one_answers(compiled: Compiled, ask: Any, facts: Any) -> None:
    fenced = compiled(policy(permit(rest="to: [large-eu]")))
    told = "backend 'large' was asked for and cannot have this request; 'large-eu' answers it"
    assert fenced.decide(ask(model="large"), facts()).notice == told
    assert compiled("name: x\n").decide(ask(model="large"), facts()).notice == told.replace("large-eu", "smollm2")
    assert {fenced.decide(quiet, facts()).notice for quiet in (ask(), ask(model="large-eu"))} == {None}


def test_a_wish_behind_the_fence_is_unmet(compiled: Compiled, ask: Any, facts: Any) -> None:
    fenced = compiled(policy(permit(rest="to: [large-eu]"), rest="unmet_wish: refuse\n"))
    assert fenced.decide(ask(model="large"), facts()).refusal == "model_not_permitted"
    assert fenced.decide(ask(model="large-eu"), facts()).backend == "large-eu"


def test_all_findings_are_considered_those_let_pass_too(compiled: Compiled, ask: Any, facts: Any, found: Any) -> None:
    findings = (found("iban", "financial"), found("email", "contact", reserved=True), found("iban", "financial"))
    decision = compiled("name: x\nallow: {reserved: true}\n").decide(ask(), facts(findings=findings))
    assert decision.considered == (("email", 1), ("iban", 2))
    assert "kind iban ×2 → confidential" in decision.reasons
    assert not any("email" in reason for reason in decision.reasons)


def test_the_reasons_name_what_each_outer_permit_lacked(compiled: Compiled, ask: Any, facts: Any, found: Any) -> None:
    text = policy(
        permit("complexity: {at_least: 0.95}", name="hard"),
        permit("tenant: {in: [research]}", level="restricted", name="lab"),
        permit(zone="private", level="confidential", name="near"),
    )
    decision = compiled(text).decide(ask(), facts(findings=(found("iban", "financial"),)))
    assert decision.reasons == (
        "kind iban ×1 → confidential",
        "permit 'near' lets it out to private",
        "permit 'hard': sensitivity at_most internal does not hold",
        "permit 'lab': tenant in [research] does not hold",
    )

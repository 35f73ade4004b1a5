"""Targets let out what it takes and no more, say so in plain words, and are refused where they mean nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import ConfigurationError
from gateway.policy.cases import CATALOGUE, run_cases
from gateway.policy.check import Report, check_policy
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.explain import explain
from gateway.policy.replay import facts_of, replay

Compiled = Callable[..., CompiledPolicy]

OUT = "name: x\npermit: [{name: out, zone: remote, when: {sensitivity: {at_most: internal}, %s}}]\n"
HARDEST = OUT % "target: {remote_share: 0.3}"
CAPPED = OUT % "target: {remote_share: 0.3, cap: 0.5}"
GOOD = OUT % "target: {quality: 0.95}"
GOOD_CAPPED = OUT % "target: {quality: 0.95, cap: 0.5}"
SHARED = OUT % "share: {at_most: 0.4}"

DECIDED = {
    "among the hardest": (HARDEST, {"rank": 0.7}, True),
    "just not": (HARDEST, {"rank": 0.6999}, False),
    "the very hardest": (HARDEST, {"rank": 1.0}, True),
    "nobody knows": (HARDEST, {}, False),
    "no number": (HARDEST, {"rank": float("nan")}, False),
    "off the scale": (HARDEST, {"rank": 7.0}, False),
    "nine in ten": (OUT % "target: {remote_share: 0.9}", {"rank": 0.1}, True),
    "all of them": (OUT % "target: {remote_share: 1.0}", {"rank": 0.0}, True),
    "all that can be told": (OUT % "target: {remote_share: 1.0}", {}, False),
    "below the cap": (CAPPED, {"rank": 0.9, "share": 0.49}, True),
    "at the cap": (CAPPED, {"rank": 0.9, "share": 0.5}, False),
    "easy below the cap": (CAPPED, {"rank": 0.5, "share": 0.0}, False),
    "cap not known": (CAPPED, {"rank": 0.9}, False),
    "quality would be missed": (GOOD, {"quality": 0.94}, True),
    "quality is kept": (GOOD, {"quality": 0.95}, False),
    "better here": (GOOD, {"quality": 1.2}, False),
    "quality not known": (GOOD, {}, False),
    "quality is no number": (GOOD, {"quality": float("-inf")}, False),
    "quality below the cap": (GOOD_CAPPED, {"quality": 0.5, "share": 0.1}, True),
    "quality at the cap": (GOOD_CAPPED, {"quality": 0.5, "share": 0.9}, False),
    "little went out": (SHARED, {"share": 0.4}, True),
    "much went out": (SHARED, {"share": 0.41}, False),
}


@pytest.mark.parametrize(("text", "known", "out"), DECIDED.values(), ids=DECIDED.keys())
def test_a_target_lets_out_what_it_takes_to_reach_it(
    text: str, known: dict[str, float], out: bool, compiled: Compiled, ask: Any, facts: Any
) -> None:
    policy, assessment = compiled(text), facts(**known)
    decision = policy.decide(ask(), assessment)
    assert (str(decision.zone) == "remote") is out
    recorded = json.loads(json.dumps(facts_of(ask(), assessment), allow_nan=False))
    assert replay(policy, recorded) == decision


def test_a_cap_over_all_permits_is_a_forbid(compiled: Compiled, ask: Any, facts: Any) -> None:
    text = (OUT % "named: true") + "forbid: [{name: half, zone: remote, when: {share: {at_least: 0.5}}}]\n"
    decide = compiled(text).decide
    assert str(decide(ask(model="large"), facts(share=0.4)).zone) == "remote"
    assert str(decide(ask(model="large"), facts(share=0.5)).zone) == "private"
    assert str(decide(ask(model="large"), facts()).zone) == "private", "what is not known counts against leaving"


TOLD = {
    "hard enough": (HARDEST, {"rank": 0.82}, "harder than 82 % of the tenant's recent requests of its kind; the "
                    "hardest 30 % may go out", "permit 'out' lets it out"),
    "too easy": (HARDEST, {"rank": 0.1}, "harder than 10 % of", "it is not among the hardest 30 % of the tenant's"),
    "nobody knows": (HARDEST, {}, "is not known (the tenant asked too little of its kind so far)", "is not known"),
    "too good": (GOOD, {"quality": 0.991}, "would leave 99.1 %; wanted: 95 % of the quality of answers from outside",
                 "answered here it leaves 95 % of the quality of answers from outside, or more"),
    "nobody knows how good": (GOOD, {}, "what answering it here would leave of 95 %", "is not known"),
    "capped": (OUT % "target: {quality: 0.95, cap: 0.5}", {"quality": 0.5, "share": 0.6},
               "60 % of the tenant's recent requests went out; the cap is 50 %", "went out, which is the cap"),
}  # fmt: skip


@pytest.mark.parametrize(("text", "known", "said", "reason"), TOLD.values(), ids=TOLD.keys())
def test_an_explanation_is_in_plain_words(
    text: str, known: dict[str, float], said: str, reason: str, compiled: Compiled, ask: Any, facts: Any
) -> None:
    told = explain(compiled(text), ask(), facts(**known))
    sentences = [condition["said"] for condition in told["permits"][0]["conditions"] if "said" in condition]
    assert any(said in sentence for sentence in sentences)
    assert any(reason in each for each in told["decision"]["reasons"])


MISTAKES = {
    "no target": (OUT % "target: {}", "names no target; say remote_share or quality"),
    "a cap alone": (OUT % "target: {cap: 0.4}", "for a cap alone write share: {at_most: 0.4}"),
    "two targets": (OUT % "target: {remote_share: 0.3, quality: 0.9}", "would change with the traffic; keep one"),
    "nothing": (OUT % "target: {remote_share: 0}", "when.target.remote_share"),
    "a percentage": (OUT % "target: {remote_share: 30}", "when.target.remote_share"),
    "more than all": (OUT % "target: {quality: 1.5}", "when.target.quality"),
    "no number": (OUT % "target: {quality: .nan}", "when.target.quality"),
    "misspelt": (OUT % "target: {share: 0.3}", "when.target.share: there is no such field"),
    "in a forbid": (
        "name: x\nforbid: [{name: in, zone: remote, when: {target: {remote_share: 0.3}}}]\n",
        "forbid 'in', when.target: a target says how much may go out, so it stands in a permit; to forbid what goes "
        "beyond a share, say share: {at_least: 0.5}",
    ),
    "for an adapter": (
        "name: x\nadapters: [{name: a, adapter: legal, when: {target: {quality: 0.9}}}]\n",
        "adapters 'a', when.target: a target says how much may go out, so it stands in a permit, and an adapter",
    ),
}


@pytest.mark.parametrize(("text", "told"), MISTAKES.values(), ids=MISTAKES.keys())
def test_a_target_that_means_nothing_is_refused_with_the_way_out(text: str, told: str, compiled: Compiled) -> None:
    with pytest.raises(ConfigurationError) as caught:
        compiled(text)
    assert told in str(caught.value)


def checked(tmp_path: Path, when: str) -> Report:
    path = tmp_path / "p.yaml"
    path.write_text(OUT % when, encoding="utf-8")
    return check_policy(path, CATALOGUE)


WARNED = {
    "the hardest, but no hard ones": ("target: {quality: 0.9}, complexity: {at_most: 0.6}", "keeps just these in"),
    "a cap below the share": ("target: {remote_share: 0.3, cap: 0.2}", "the cap of 0.2 is below remote_share 0.3"),
    "a rank above the line": ("target: {remote_share: 0.3}, rank: {at_least: 0.9}", "lets out less than remote_share"),
}


@pytest.mark.parametrize(("when", "told"), WARNED.values(), ids=WARNED.keys())
def test_a_target_that_will_not_be_met_is_a_warning(when: str, told: str, tmp_path: Path) -> None:
    report = checked(tmp_path, when)
    assert report.ok
    assert len(report.warnings) == 1
    assert "permit 'out', when." in report.warnings[0]
    assert told in report.warnings[0]


UNREACHABLE = {
    "a rank below the line": ("target: {remote_share: 0.3}, rank: {at_most: 0.5}", "rank cannot be at most 0.5"),
    "a share beyond the cap": ("target: {quality: 0.9, cap: 0.5}, share: {at_least: 0.5}", "below the cap of 0.5"),
    "shares that cross": ("share: {at_least: 0.9, at_most: 0.1}", "share cannot be at least 0.9 and at most 0.1"),
}


@pytest.mark.parametrize(("when", "told"), UNREACHABLE.values(), ids=UNREACHABLE.keys())
def test_a_target_that_nothing_can_reach_is_reported(when: str, told: str, tmp_path: Path) -> None:
    report = checked(tmp_path, when)
    assert len(report.unreachable) == 1
    assert told in report.unreachable[0]


@pytest.mark.parametrize(
    "when",
    [
        "target: {remote_share: 0.3}",
        "target: {remote_share: 0.3, cap: 0.3}",
        "target: {quality: 0.95}, complexity: {at_least: 0.55}",
        "target: {remote_share: 0.3}, rank: {at_least: 0.5, at_most: 0.9}",
        "target: {remote_share: 0.3}, share: {at_most: 0.5}",
    ],
)
def test_a_target_that_makes_sense_has_nothing_to_check(when: str, tmp_path: Path) -> None:
    assert checked(tmp_path, when) == Report()


def test_policies_without_targets_have_the_digest_they_always_had(compiled: Compiled) -> None:
    forbid = "forbid: [{name: in, zone: remote, when: {named: true}}]\n"
    adapters = "adapters: [{name: a, adapter: legal, when: {named: true}}]\n"
    plain = compiled((OUT % "named: true") + forbid + adapters)
    assert plain.digest == "2ce2978cb5b642d8142e4b6edac81fca1adf45a6a157a34f414b658abdfa6954"
    assert compiled((OUT % "named: true, target: {quality: 0.9}") + forbid + adapters).digest != plain.digest
    assert compiled((OUT % "named: true, share: {at_most: 0.9}") + forbid + adapters).digest != plain.digest


@pytest.mark.anyio
async def test_a_case_may_say_where_its_request_stands(tmp_path: Path, detector: Any, scorer: Any) -> None:
    policy, cases = tmp_path / "p.yaml", tmp_path / "p.cases.yaml"
    policy.write_text(CAPPED, encoding="utf-8")
    rows = [
        "{note: hard, text: hi, rank: 0.9, share: 0.1, want: {zone: remote, rule: out}}",
        "{note: easy, text: hi, language: en, rank: 0.2, share: 0.1, want: {zone: local}}",
        "{note: capped, text: hi, language: en, rank: 0.9, share: 0.5, want: {zone: local}}",
        "{note: not known, text: hi, language: en, want: {zone: local}}",
    ]
    cases.write_text("cases:\n" + "".join(f"  - {row}\n" for row in rows), encoding="utf-8")
    results = await run_cases(policy, cases, detector=detector, scorer=scorer)
    assert [result.differences for result in results] == [()] * 4

"""What holds of every draft, whatever was found and whatever it showed: it opens no way that the policy closes."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.beginning import Beginning, drafted, home
from gateway.core.confidence import Confidence
from gateway.core.parts import Asked
from gateway.core.types import (
    Assessment,
    BackendSpec,
    Chunk,
    Decision,
    Finding,
    Place,
    Principal,
    Request,
    Unreadable,
    Zone,
)
from gateway.policy.assemble import assemble
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.facts import Catalogue
from gateway.policy.replay import facts_of, replay
from gateway.policy.schema import PolicyFile

SPECS = (
    BackendSpec("local", Zone.LOCAL, "llama", "small", languages=frozenset({"en"})),
    BackendSpec("house", Zone.PRIVATE, "openai", "middle"),
    BackendSpec("large", Zone.REMOTE, "openai", "large"),
)
LEVELS = ["public", "internal", "confidential", "restricted", "unknown"]
KINDS = {"iban": "financial", "name": "person", "email": "contact", "diagnosis": "health", "key": "secret"}
NUMBERS = [0.0, 0.45, 0.5, 0.55, 0.6, 0.65, 1.0]

PERMITS = st.lists(
    st.fixed_dictionaries({
        "zone": st.sampled_from(["private", "remote"]),
        "when": st.fixed_dictionaries(
            {
                "sensitivity": st.sampled_from(LEVELS).map(lambda level: {"at_most": level}),
                # Mostly a border that a draft can cross: where the score decides nothing there is none.
                "complexity": st.sampled_from([*NUMBERS[1:], 0.5, 0.55, 0.6]).map(lambda least: {"at_least": least}),
            },
            optional={
                "categories": st.sampled_from(sorted(KINDS.values())).map(lambda word: {"none_of": [word]}),
            },
        ),
    }),
    min_size=1,
    max_size=3,
)  # fmt: skip
FORBIDS = st.lists(
    st.fixed_dictionaries({
        "zone": st.sampled_from(["private", "remote"]),
        "when": st.sampled_from(sorted(KINDS.values())).map(lambda word: {"categories": [word]})
        | st.sampled_from(NUMBERS).map(lambda least: {"complexity": {"at_least": least}}),
    }),
    max_size=2,
)  # fmt: skip
FINDINGS = st.lists(st.sampled_from(sorted(KINDS)), max_size=4).map(
    lambda kinds: tuple(
        Finding("f", kind, KINDS[kind], 1.0, Place("$.messages[0].content", at, at + 1), at)
        for at, kind in enumerate(kinds)
    )
)
FLOORS = [
    "refuse",
    "notice",
    "notice",
    "notice",
    {"below": 0.6, "then": "private"},
    {"below": 0.6, "then": "queue", "wait_s": 1},
]
GAINS = st.sampled_from(NUMBERS)
LANGUAGE = st.sampled_from(["en", "it", None])


@st.composite
def policies(draw: st.DrawFn) -> CompiledPolicy:
    given_ = {
        "name": "any",
        "permit": [{"name": f"p{number}", **rule} for number, rule in enumerate(draw(PERMITS))],
        "forbid": [{"name": f"f{number}", **rule} for number, rule in enumerate(draw(FORBIDS))],
        "floor": draw(st.sampled_from(FLOORS)),
    }
    return compiled(yaml.safe_dump(given_))


@cache
def compiled(text: str) -> CompiledPolicy:
    return assemble(PolicyFile.model_validate(yaml.safe_load(text)), Catalogue(SPECS), "digest", ())


class Says:
    """A cascade that drafts always and says one thing."""

    most_tokens, most_s = 24, 1.5

    def __init__(self, gain: float) -> None:
        self._gain = gain

    def drafts(self, assessment: Assessment) -> bool:
        return True

    def gain(self, assessment: Assessment, sureness: Confidence | None, text: str, ended: bool) -> float:
        return self._gain


def settled(policy: CompiledPolicy, assessment: Assessment, verdict: float, **of: Any) -> tuple[Decision, Assessment]:
    """The decision that stands in the end, and what it was made on: as the line does it."""
    request = replace(Request("r", Principal(), "auto", {"messages": []}, received_at=1.0), **of)
    asked = Asked(request, assessment, policy, policy.decide(request, assessment), {}, lambda decision: None)
    cascade, beginning = Says(verdict), Beginning(24)
    if home(cascade, None, asked) is None:
        return asked.decision, assessment
    beginning.add([Chunk(0, {"content": "Yes"}, confidence=[(-0.1, 0.2, 3.0)])])
    again = drafted(cascade, None, asked, beginning)
    assert again is not None
    return policy.decide(request, again), again


def ways(decision: Decision) -> set[tuple[str, Zone]]:
    return {(way.backend, way.zone) for way in decision.allowed if way.zone > Zone.LOCAL}


@given(policies(), FINDINGS, FINDINGS, GAINS, GAINS, LANGUAGE, st.booleans())
@settings(max_examples=250)
def test_one_finding_more_opens_no_way_whatever_the_drafts_show(
    policy: CompiledPolicy,
    findings: tuple[Finding, ...],
    more: tuple[Finding, ...],
    gain: float,
    verdict: float,
    language: str | None,
    unread: bool,
) -> None:
    """For the same gain before the decision that stands; a draft of a text never depends on what was found in it."""
    less = Assessment(findings=findings, gain=gain, language=language, language_confidence=1.0, competence=0.5)
    further = replace(less, findings=findings + more, unreadable=(Unreadable("$", "deadline"),) if unread else ())
    request = Request("r", Principal(), "auto", {"messages": []}, received_at=1.0)
    decision, known = settled(policy, further, verdict)
    with_less = policy.decide(request, replace(less, gain=known.gain))
    assert ways(decision) <= ways(with_less)


@given(policies(), FINDINGS, GAINS, GAINS, LANGUAGE)
@settings(max_examples=150)
def test_what_stands_in_the_end_is_what_the_policy_says_to_the_recorded_facts(
    policy: CompiledPolicy, findings: tuple[Finding, ...], gain: float, verdict: float, language: str | None
) -> None:
    known = Assessment(findings=findings, gain=gain, language=language, language_confidence=1.0, competence=0.5)
    decision, facts = settled(policy, known, verdict)
    request = Request("r", Principal(), "auto", {"messages": []}, received_at=1.0)
    again = replay(policy, facts_of(request, facts))
    assert (again.allowed, again.rule, again.refusal) == (decision.allowed, decision.rule, decision.refusal)


@given(policies(), FINDINGS, GAINS, GAINS)
@settings(max_examples=100)
def test_who_asked_for_a_local_answer_gets_one_whatever_a_draft_would_show(
    policy: CompiledPolicy, findings: tuple[Finding, ...], gain: float, verdict: float
) -> None:
    decision, facts = settled(policy, Assessment(findings=findings, gain=gain), verdict, local_only=True)
    assert ways(decision) == set()
    assert not facts.drafted


@given(policies(), FINDINGS, GAINS, GAINS)
@settings(max_examples=100)
def test_a_draft_is_made_only_where_the_same_request_could_go_out_and_could_stay(
    policy: CompiledPolicy, findings: tuple[Finding, ...], gain: float, verdict: float
) -> None:
    known = Assessment(findings=findings, gain=gain)
    _, facts = settled(policy, known, verdict)
    if facts.drafted:
        request = Request("r", Principal(), "auto", {"messages": []}, received_at=1.0)
        zones = [policy.decide(request, replace(known, gain=each)).zone for each in (0.0, 1.0)]
        assert zones[0] is Zone.LOCAL
        assert zones[1] > Zone.LOCAL

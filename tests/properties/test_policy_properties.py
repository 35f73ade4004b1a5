"""What is true of every policy, whatever its author wrote and whatever was found: promise P3 and its neighbours."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.errors import EgressDenied
from gateway.core.records import Receipt
from gateway.core.release import Released, release
from gateway.core.types import (
    CATEGORIES,
    TAINT,
    TRANSFORMS,
    VALUES,
    Assessment,
    BackendSpec,
    Decision,
    Finding,
    Needs,
    Outgoing,
    Place,
    Principal,
    Request,
    Scan,
    Sensitivity,
    Unreadable,
    Zone,
)
from gateway.policy import selectors
from gateway.policy.assemble import assemble
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.explain import explain
from gateway.policy.facts import Catalogue
from gateway.policy.load import digest
from gateway.policy.replay import facts_of, replay
from gateway.policy.schema import PolicyFile

# Few words, so that rules and facts meet often.
LEVELS = ["public", "internal", "confidential", "restricted", "unknown"]
SOME_CATEGORIES = ["person", "contact", "financial", "secret", "health"]
KINDS = ["iban", "email", "payment_card", "name", "date"]
TENANTS = ["default", "research"]
WORDS = ["a", "b"]
LANGUAGES = ["en", "it"]
NEEDS = ["image", "tools", "schema", "logprobs"]
NUMBERS = [0.0, 0.3, 0.5, 0.55, 0.8, 1.0]
NAMES = ["auto", "small", "house", "shed", "large", "eu", "elsewhere"]


def some(words: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(words), min_size=1, max_size=3, unique=True)


def fields(**optional: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=optional)


def one_of(words: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return fields(**{"in": some(words), "not_in": some(words)}).filter(bool)


def bounds(numbers: list[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return fields(at_least=st.sampled_from(numbers), at_most=st.sampled_from(numbers)).filter(bool)


SHARED: dict[str, st.SearchStrategy[Any]] = {
    "complexity": bounds(NUMBERS),
    "rank": bounds(NUMBERS),
    "share": bounds(NUMBERS),
    "tokens": bounds([1, 100, 1000]),
    "tenant": one_of(TENANTS),
    "role": one_of(WORDS),
    "tag": one_of(WORDS),
    "purpose": one_of(WORDS),
    "model": one_of(NAMES),
    "language": one_of(LANGUAGES),
    "named": st.booleans(),
    "beyond_local": st.booleans(),
    "needs": fields(any_of=some(NEEDS), none_of=some(NEEDS)).filter(bool),
    "time": st.just({"hours": "08:00-18:00", "days": ["mon", "tue", "wed", "thu", "fri"], "tz": "Europe/Rome"}),
}


@st.composite
def whens(draw: st.DrawFn, own: dict[str, st.SearchStrategy[Any]]) -> dict[str, Any]:
    """Few selectors at a time: a rule with ten conditions never holds and shows nothing."""
    chosen = draw(st.lists(st.sampled_from([*own, *own, *SHARED]), max_size=2, unique=True))
    return {name: draw({**SHARED, **own}[name]) for name in chosen}


def upper(words: list[str]) -> st.SearchStrategy[dict[str, Any]]:
    return fields(within=st.lists(st.sampled_from(words), max_size=3, unique=True), none_of=some(words)).filter(bool)


PORTIONS = st.sampled_from([0.2, 0.3, 0.5, 0.95, 1.0])
TARGETS = st.tuples(st.sampled_from(["remote_share", "quality"]), PORTIONS, fields(cap=PORTIONS)).map(
    lambda given: {given[0]: given[1], **given[2]}
)
FLOORS = st.sampled_from(["refuse", "notice"]) | st.tuples(
    st.sampled_from(["refuse", "notice", "private", "queue"]), fields(below=PORTIONS)
).map(lambda given: {"then": given[0], **given[1], **({"wait_s": 5.0} if given[0] == "queue" else {})})

PERMIT_WHEN = st.tuples(
    st.sampled_from(LEVELS),
    whens({
        "target": TARGETS,
        "kinds": upper(KINDS),
        "categories": upper(SOME_CATEGORIES),
        "distinct": st.fixed_dictionaries({"of": some(KINDS + SOME_CATEGORIES), "at_most": st.integers(0, 3)}),
    }),
).map(lambda pair: {"sensitivity": {"at_most": pair[0]}, **pair[1]})  # fmt: skip

FORBID_WHEN = whens({
    "sensitivity": st.sampled_from(LEVELS).map(lambda level: {"at_least": level}),
    "kinds": some(KINDS),
    "categories": some(SOME_CATEGORIES) | some(SOME_CATEGORIES).map(lambda words: {"any_of": words}),
    "distinct": st.fixed_dictionaries({"of": some(KINDS + SOME_CATEGORIES), "at_least": st.integers(1, 4)}),
    "min_confidence": st.sampled_from(NUMBERS),
}).filter(lambda when: "min_confidence" not in when or {"kinds", "categories", "distinct"} & set(when))  # fmt: skip

ADAPTERS = ["legal", "clinic"]
ADAPTER_RULES = st.lists(
    st.fixed_dictionaries({
        "adapter": st.sampled_from([*ADAPTERS, "gone", "none"]),
        "when": whens({
            "sensitivity": st.sampled_from(LEVELS).flatmap(
                lambda level: st.sampled_from([{"at_least": level}, {"at_most": level}])
            ),
            "kinds": some(KINDS),
            "categories": some(SOME_CATEGORIES),
        }),
        "always": st.booleans(),
    }),
    max_size=3,
)  # fmt: skip

ZONES = st.sampled_from(["private", "remote", "remote"])
TO = {"private": ["house", "shed", "gone"], "remote": ["large", "eu", "house", "gone"]}


@st.composite
def permits(draw: st.DrawFn) -> dict[str, Any]:
    zone = draw(ZONES)
    optional = draw(fields(to=some(TO[zone]), fallback=st.sampled_from(["local", "none"]), cache=st.booleans()))
    change = draw(st.sampled_from([{}, {}, *({"with": name} for name in TRANSFORMS)]))
    return {"zone": zone, "when": draw(PERMIT_WHEN), **optional, **change}


LEVEL_ENTRIES = st.dictionaries(
    st.sampled_from(KINDS + SOME_CATEGORIES), st.sampled_from(["internal", "confidential", "restricted"]), max_size=3
)
RAISES = st.lists(
    st.fixed_dictionaries({
        "when": fields(
            kinds=some(KINDS),
            categories=some(SOME_CATEGORIES),
            min_count=st.integers(1, 3),
            near=some(WORDS),
            distinct=st.fixed_dictionaries({"of": some(KINDS + SOME_CATEGORIES), "at_least": st.integers(1, 4)}),
        ).filter(bool),
        "raise_to": st.sampled_from(["confidential", "restricted"]),
    }),
    max_size=2,
)  # fmt: skip


@st.composite
def files(draw: st.DrawFn) -> dict[str, Any]:
    raises = {f"raise-{number}": entry for number, entry in enumerate(draw(RAISES))}
    return {
        "name": "random",
        "permit": [
            {"name": f"p{number}", **rule}
            for number, rule in enumerate(draw(st.lists(permits(), min_size=1, max_size=4)))
        ],
        "forbid": [
            {"name": f"f{number}", "zone": draw(ZONES), "when": when}
            for number, when in enumerate(draw(st.lists(FORBID_WHEN, max_size=2)))
        ],
        "levels": draw(LEVEL_ENTRIES) | raises,
        "adapters": [{"name": f"a{number}", **rule} for number, rule in enumerate(draw(ADAPTER_RULES))],
        **draw(
            fields(
                floor=FLOORS,
                unmet_wish=st.sampled_from(["answer", "refuse"]),
                allow=st.fixed_dictionaries({"reserved": st.just(True) | some(KINDS)}),
                public=fields(keys=st.booleans(), generic=st.booleans()),
                scan_answer=st.sampled_from(["internal", "confidential", "restricted"]),
            )
        ),
    }  # fmt: skip


ABILITIES = st.fixed_dictionaries({
    "images": st.booleans(),
    "tools": st.booleans(),
    "logprobs": st.booleans(),
    "context": st.sampled_from([0, 500]),
    "languages": st.sampled_from([frozenset(), frozenset({"en"})]),
})  # fmt: skip
SPECS = [
    ("small", Zone.LOCAL),
    ("house", Zone.PRIVATE),
    ("shed", Zone.PRIVATE),
    ("large", Zone.REMOTE),
    ("eu", Zone.REMOTE),
]
CATALOGUES = st.tuples(*(ABILITIES for _ in SPECS)).map(
    lambda all_: tuple(
        BackendSpec(name, zone, "canned", "m", **able, adapters=() if zone else tuple(ADAPTERS))
        for (name, zone), able in zip(SPECS, all_, strict=True)
    )
)


def compiled(content: dict[str, Any], backends: tuple[BackendSpec, ...]) -> CompiledPolicy:
    file = PolicyFile.model_validate(content)
    assert list(selectors.empty(file)) == []
    return assemble(file, Catalogue(backends), digest(file), ())


POLICIES = st.builds(compiled, files(), CATALOGUES)

ODD = st.sampled_from([float("nan"), float("inf"), -1.0, 2.0])
FINDINGS = st.builds(
    Finding,
    detector=st.sampled_from(["any", "any", TAINT]),
    kind=st.sampled_from(KINDS),
    category=st.sampled_from(SOME_CATEGORIES) | st.sampled_from(sorted(CATEGORIES)) | st.just("new"),
    confidence=st.sampled_from(NUMBERS) | ODD,
    place=st.just(Place("$.messages[0].content", 0, 1)),
    value_id=st.integers(0, 4),
    near=st.frozensets(st.sampled_from(WORDS)),
    reserved=st.booleans(),
)
UNREADABLE = st.builds(
    Unreadable, path=st.just("$"), reason=st.sampled_from(["image", "audio", "file", "unknown_part", "deadline"])
)
ASSESSMENTS = st.builds(
    Assessment,
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    unreadable=st.lists(UNREADABLE, max_size=1).map(tuple) | st.just(()),
    gain=st.none() | st.sampled_from(NUMBERS) | ODD,
    rank=st.none() | st.sampled_from(NUMBERS) | ODD,
    quality=st.none() | st.sampled_from([*NUMBERS, 1.1]) | ODD,
    share=st.none() | st.sampled_from(NUMBERS) | ODD,
    competence=st.none() | st.sampled_from(NUMBERS) | ODD,
    family=st.sampled_from(["maths", "other"]),
    language=st.sampled_from([None, *LANGUAGES, ""]),
    language_confidence=st.sampled_from([0.0, 0.49, 0.5, 1.0, float("nan")]),
    needs=st.builds(Needs, image=st.booleans(), tools=st.booleans(), context=st.sampled_from([0, 100, 1000])),
    tokens=st.sampled_from([0, 20, 2000]),
    generic=st.booleans(),
)
REQUESTS = st.builds(
    Request,
    id=st.just("r1"),
    principal=st.builds(
        Principal,
        tenant=st.sampled_from(TENANTS),
        roles=st.frozensets(st.sampled_from(WORDS)),
        tags=st.frozensets(st.sampled_from(WORDS)),
        public=st.booleans(),
        purpose=st.sampled_from([None, *WORDS]),
    ),
    model=st.sampled_from(NAMES),
    body=st.just({"messages": []}),
    at_least=st.sampled_from([None, None, None, *Sensitivity]),
    local_only=st.sampled_from([False, False, False, True]),
    adapter=st.sampled_from([None, None, None, *ADAPTERS, "gone"]),
    received_at=st.sampled_from([0.0, 1_795_000_000.0, 1_795_050_000.5, 1e300, float("nan")]),
)

UNSCORED: dict[str, None] = dict.fromkeys(["gain", "rank", "quality", "share", "competence"])

often = settings(max_examples=250)
many = settings(max_examples=120)


def outside(decision: Decision) -> set[tuple[str, str | None]]:
    """The ways off this host. LOCAL is no way out: a request that is kept in gains it and loses the others."""
    return {(way.backend, way.transform) for way in decision.allowed if way.zone is not Zone.LOCAL}


def no_further_out(after: Decision, before: Decision) -> None:
    assert outside(after) <= outside(before)
    assert after.zone <= before.zone
    assert after.level >= before.level


def backends_outside(decision: Decision) -> set[str]:
    return {backend for backend, _ in outside(decision)}


def strength(transform: str | None) -> int:
    return -1 if transform is None else TRANSFORMS.index(transform)


@often
@given(POLICIES, REQUESTS, ASSESSMENTS, st.lists(FINDINGS, min_size=1, max_size=6))
def test_one_finding_more_never_moves_a_request_outward(
    policy: CompiledPolicy, request: Request, assessment: Assessment, further: list[Finding]
) -> None:
    before = policy.decide(request, assessment)
    for finding in further:
        assessment = replace(assessment, findings=(*assessment.findings, finding))
        after = policy.decide(request, assessment)
        no_further_out(after, before)
        before = after


@often
@given(files(), CATALOGUES, REQUESTS, ASSESSMENTS)
def test_each_way_out_has_the_strongest_transform_of_the_permits_that_give_it(
    content: dict[str, Any], backends: tuple[BackendSpec, ...], request: Request, assessment: Assessment
) -> None:
    policy = compiled(content, backends)
    decision = policy.decide(request, assessment)
    matched = {rule["name"] for rule in explain(policy, request, assessment)["permits"] if rule["matched"]}
    for backend, transform in outside(decision):
        givers = [p for p in policy.permits if p.name in matched and p.gives(policy.catalogue.by_name[backend])]
        assert givers
        assert strength(transform) >= max(strength(permit.transform) for permit in givers)
        # And none that nobody asked for.
        assert transform is None or transform in {permit.transform for permit in policy.permits}
    assert decision.transform == (decision.allowed[0].transform if decision.allowed else None)
    values = any(finding.category in VALUES for finding in assessment.findings)
    if decision.transform == "rewrite" or (decision.transform is not None and values):
        assert not decision.cacheable


@many
@given(POLICIES, REQUESTS, ASSESSMENTS, FINDINGS)
def test_a_further_finding_that_also_ends_the_generic_never_moves_a_request_outward(
    policy: CompiledPolicy, request: Request, assessment: Assessment, finding: Finding
) -> None:
    more = replace(assessment, findings=(*assessment.findings, finding), generic=False)
    no_further_out(policy.decide(request, more), policy.decide(request, assessment))


@many
@given(POLICIES, REQUESTS, ASSESSMENTS, UNREADABLE)
def test_one_unreadable_part_more_never_moves_a_request_outward(
    policy: CompiledPolicy, request: Request, assessment: Assessment, part: Unreadable
) -> None:
    more = replace(assessment, unreadable=(*assessment.unreadable, part))
    no_further_out(policy.decide(request, more), policy.decide(request, assessment))


@many
@given(POLICIES, REQUESTS, ASSESSMENTS, st.sampled_from(list(Sensitivity)))
def test_a_client_that_raises_the_level_never_moves_its_request_outward(
    policy: CompiledPolicy, request: Request, assessment: Assessment, level: Sensitivity
) -> None:
    before = request.at_least
    raised = replace(request, at_least=level if before is None else max(level, before))
    no_further_out(policy.decide(raised, assessment), policy.decide(request, assessment))


@many
@given(files(), CATALOGUES, REQUESTS, ASSESSMENTS, st.randoms(use_true_random=False))
def test_the_order_of_rules_and_findings_changes_nothing(
    content: dict[str, Any], backends: tuple[BackendSpec, ...], request: Request, assessment: Assessment, random: Any
) -> None:
    before = compiled(content, backends).decide(request, assessment)
    shuffled = dict(content)
    for section in ("permit", "forbid"):
        shuffled[section] = random.sample(content[section], len(content[section]))
    shuffled["levels"] = dict(random.sample(list(content["levels"].items()), len(content["levels"])))
    findings = tuple(random.sample(assessment.findings, len(assessment.findings)))
    after = compiled(shuffled, backends).decide(request, replace(assessment, findings=findings))
    assert replace(after, policy_digest="") == replace(before, policy_digest="")


@many
@given(POLICIES, REQUESTS, ASSESSMENTS)
def test_what_is_not_known_never_opens_a_way(policy: CompiledPolicy, request: Request, assessment: Assessment) -> None:
    forgotten = replace(assessment, tokens=0, **UNSCORED)
    # A backend may be able to serve a request once nobody knows the language; a permit may not come to hold.
    if all(not spec.languages for spec in policy.catalogue.backends):
        forgotten = replace(forgotten, language=None, language_confidence=0.0)
    nobody = replace(request, principal=Principal(tenant=request.principal.tenant), received_at=0.0)
    known = policy.decide(replace(request, principal=replace(request.principal, public=False)), assessment)
    assert backends_outside(policy.decide(nobody, forgotten)) <= backends_outside(known)


@often
@given(files(), CATALOGUES, REQUESTS, ASSESSMENTS)
def test_adapters_change_how_an_answer_sounds_and_nothing_else(
    content: dict[str, Any], backends: tuple[BackendSpec, ...], request: Request, assessment: Assessment
) -> None:
    """Why they may be chosen by findings from both sides: what is allowed is the same with and without them."""
    bare = compiled({**content, "adapters": []}, backends).decide(replace(request, adapter=None), assessment)
    adapted = compiled(content, backends).decide(request, assessment)
    silent = {"adapter": None, "notice": None, "reasons": (), "policy_digest": ""}
    assert replace(adapted, **silent) == replace(bare, **silent)
    assert adapted.reasons[: len(bare.reasons)] == bare.reasons
    assert (adapted.notice or "").startswith(bare.notice or "")
    if adapted.adapter is not None:
        assert adapted.adapter in ADAPTERS
        assert any(way.zone is Zone.LOCAL for way in adapted.allowed)


@many
@given(POLICIES, REQUESTS, ASSESSMENTS)
def test_what_could_not_be_read_never_goes_to_the_remote(
    policy: CompiledPolicy, request: Request, assessment: Assessment
) -> None:
    decision = policy.decide(request, replace(assessment, unreadable=(Unreadable("$", "deadline"),)))
    assert decision.level is Sensitivity.UNKNOWN
    assert all(way.zone is not Zone.REMOTE for way in decision.allowed)


@many
@given(POLICIES, REQUESTS, ASSESSMENTS)
def test_what_is_decided_local_cannot_be_released(
    policy: CompiledPolicy, request: Request, assessment: Assessment
) -> None:
    decision = policy.decide(request, assessment)
    for backend in policy.catalogue.backends:
        if decision.zone is Zone.LOCAL:
            with pytest.raises(EgressDenied):
                _release(request, decision, backend)
        elif decision.allows(backend.name) and backend.zone is not Zone.LOCAL:
            assert _release(request, decision, backend).backend is backend


def _release(request: Request, decision: Decision, backend: BackendSpec) -> Released:
    return release(
        request,
        decision,
        backend=backend,
        outgoing=Outgoing(
            backend.name, {}, transform=way.transform if (way := decision.allows(backend.name)) else None
        ),
        scan=Scan(),
        receipt=Receipt(1, request.id, "attempt"),
    )


@many
@given(POLICIES, REQUESTS, ASSESSMENTS)
def test_a_decision_agrees_with_itself(policy: CompiledPolicy, request: Request, assessment: Assessment) -> None:
    decision = policy.decide(request, assessment)
    assert decision == policy.decide(request, assessment)
    zones = [way.zone for way in decision.allowed]
    assert zones == sorted(zones, reverse=True)
    assert sum(count for _, count in decision.considered) == sum(f.detector != TAINT for f in assessment.findings)
    if decision.refusal is not None:
        assert (decision.zone, decision.allowed, bool(decision.refusal_detail)) == (Zone.LOCAL, (), True)
    else:
        first = decision.allowed[0]
        assert (first.backend, first.zone, first.rule) == (decision.backend, decision.zone, decision.rule)
        assert len({way.backend for way in decision.allowed}) == len(decision.allowed)
        for way in decision.allowed:
            assert policy.catalogue.by_name[way.backend].can(assessment.needs) is None
    if request.local_only:
        assert decision.zone is Zone.LOCAL


@many
@given(POLICIES, REQUESTS, ASSESSMENTS)
def test_a_decision_can_be_made_again_from_its_recorded_facts(
    policy: CompiledPolicy, request: Request, assessment: Assessment
) -> None:
    recorded = json.loads(json.dumps(facts_of(request, assessment), allow_nan=False))
    assert replay(policy, recorded) == policy.decide(request, assessment)


@settings(max_examples=150)
@given(POLICIES, REQUESTS, ASSESSMENTS)
def test_an_explanation_is_json_and_agrees_with_the_decision(
    policy: CompiledPolicy, request: Request, assessment: Assessment
) -> None:
    told = json.loads(json.dumps(explain(policy, request, assessment), allow_nan=False))
    decision = policy.decide(request, assessment)
    assert told["decision"]["zone"] == str(decision.zone)
    for rule in told["permits"]:
        assert rule["matched"] == all(condition["holds"] is True for condition in rule["conditions"])
    for rule in told["adapters"]:
        assert rule["matched"] == all(condition["holds"] is True for condition in rule["conditions"])
    for rule in told["forbids"]:
        assert rule["matched"] == all(condition["holds"] is not False for condition in rule["conditions"])


@many
@given(files(), CATALOGUES, REQUESTS, ASSESSMENTS, st.lists(FINDINGS, max_size=3))
def test_what_the_floor_opens_is_the_same_whatever_is_found(
    content: dict[str, Any], backends: tuple[BackendSpec, ...], request: Request, assessment: Assessment,
    others: list[Finding],
) -> None:  # fmt: skip
    """Without forbids, permits and raised levels there is the floor alone: and it looks at no finding."""
    content = {**content, "permit": [], "forbid": [], "adapters": []}
    policy = compiled(content, backends)
    request, assessment = replace(request, at_least=None), replace(assessment, unreadable=())
    before = policy.decide(request, assessment)
    after = policy.decide(request, replace(assessment, findings=tuple(others)))
    assert outside(after) == outside(before)
    assert (after.zone, after.rule, after.wait_s) == (before.zone, before.rule, before.wait_s)
    assert all(way.zone is Zone.PRIVATE for way in before.allowed if way.zone is not Zone.LOCAL)
    if outside(before):
        assert policy.floor.then in {"private", "queue"}
        assert before.rule == "floor"
    assert bool(before.wait_s) == (bool(outside(before)) and policy.floor.then == "queue")


# Random policies seldom meet the one fact that matters to a selector. So each selector is also tried alone, against
# every small set of facts: a permit with it and nothing else, and a forbid with it against a permit for everything.

IN_PERMITS: dict[str, dict[str, Any]] = {
    "nothing else": {},
    "kinds within": {"kinds": {"within": ["iban"]}},
    "kinds none of": {"kinds": {"none_of": ["iban"]}},
    "categories within": {"categories": {"within": ["person", "contact"]}},
    "categories none of": {"categories": {"none_of": ["person"]}},
    "distinct": {"distinct": {"of": ["person", "iban"], "at_most": 0}},
    "a share": {"target": {"remote_share": 0.3}},
    "a quality": {"target": {"quality": 0.95}},
    "a share, capped": {"target": {"remote_share": 0.3, "cap": 0.5}},
    "a quality, capped": {"target": {"quality": 0.95, "cap": 0.5}},
}
IN_FORBIDS: dict[str, dict[str, Any]] = {
    "level": {"sensitivity": {"at_least": "confidential"}},
    "kinds": {"kinds": ["iban"]},
    "kinds, surely": {"kinds": ["iban"], "min_confidence": 0.9},
    "categories": {"categories": {"any_of": ["person"]}},
    "distinct": {"distinct": {"of": ["person", "iban"], "at_least": 2}},
    "distinct, surely": {"distinct": {"of": ["person"], "at_least": 1}, "min_confidence": 0.9},
}
IN_BOTH: dict[str, dict[str, Any]] = {
    "complexity above": {"complexity": {"at_least": 0.5}},
    "complexity below": {"complexity": {"at_most": 0.5}},
    "rank": {"rank": {"at_most": 0.5}},
    "share": {"share": {"at_least": 0.5}},
    "tokens": {"tokens": {"at_most": 100}},
    "tenant": {"tenant": {"not_in": ["research"]}},
    "role": {"role": {"not_in": ["a"]}},
    "tag": {"tag": {"in": ["a"]}},
    "purpose": {"purpose": {"not_in": ["a"]}},
    "model": {"model": {"not_in": ["large"]}},
    "named": {"named": True},
    "not named": {"named": False},
    "beyond local": {"beyond_local": True},
    "within reach": {"beyond_local": False},
    "language": {"language": {"not_in": ["it"]}},
    "needs": {"needs": {"any_of": ["image", "tools"]}},
    "no needs": {"needs": {"none_of": ["image"]}},
    "time": {"time": {"hours": "00:00-23:59"}},
}
EVERYTHING = {"name": "all", "zone": "remote", "when": {"sensitivity": {"at_most": "unknown"}}}
FLOORS_ALONE: dict[str, Any] = {
    "refuse": "refuse",
    "notice below": {"below": 0.5, "then": "notice"},
    "private": {"then": "private"},
    "private below": {"below": 0.5, "then": "private"},
    "queue below": {"below": 0.5, "then": "queue"},
}
WITHIN_REACH = {**EVERYTHING, "when": {**EVERYTHING["when"], "beyond_local": False}}
NO_ACCOUNTS = {"name": "in", "zone": "private", "when": {"categories": ["financial"]}}
ALONE = [
    *(pytest.param([{**EVERYTHING, "when": {**EVERYTHING["when"], **when}}], [], "refuse", id=f"permit {name}")
      for name, when in {**IN_PERMITS, **IN_BOTH}.items()),
    *(pytest.param([EVERYTHING], [{"name": "in", "zone": zone, "when": when}], "refuse", id=f"forbid {zone} {name}")
      for zone in ("private", "remote") for name, when in {**IN_FORBIDS, **IN_BOTH}.items()),
    *(pytest.param(permit, forbid, floor, id=f"floor {name}, {len(permit)} permit, {len(forbid)} forbid")
      for name, floor in FLOORS_ALONE.items() for permit in ([], [WITHIN_REACH]) for forbid in ([], [NO_ACCOUNTS])),
]  # fmt: skip


def small_facts() -> list[Assessment]:
    kinds = [("iban", "financial", 1.0), ("name", "person", 0.5), ("name", "person", 1.0), ("email", "contact", 1.0)]
    every = [
        Finding("any", kind, category, confidence, Place("$", 0, 1), value_id=number)
        for number, (kind, category, confidence) in enumerate(kinds, 1)
    ]
    return [
        Assessment(
            findings=tuple(findings),
            unreadable=unreadable,
            gain=gain,
            rank=gain,
            quality=None if gain is None else 1 - gain / 10,
            share=None if gain is None else 1 - gain,
            competence=None if gain is None else 1 - gain,
            language=language,
            language_confidence=1.0,
            needs=needs,
            tokens=20,
        )
        for size in (0, 1, 2)
        for findings in itertools.combinations(every, size)
        for unreadable in ((), (Unreadable("$", "image"),))
        for gain, language in ((0.9, "en"), (None, None), (0.2, "it"))
        for needs in (Needs(), Needs(tools=True))
    ]


@pytest.mark.parametrize(("permit", "forbid", "floor"), ALONE)
def test_no_selector_alone_lets_more_be_found_and_go_further_out(
    permit: list[Any], forbid: list[Any], floor: Any
) -> None:
    blind = BackendSpec("small", Zone.LOCAL, "canned", "m", images=False, languages=frozenset({"en"}))
    others = tuple(BackendSpec(name, zone, "canned", "m") for name, zone in SPECS[1:])
    policy = compiled({"name": "one", "permit": permit, "forbid": forbid, "floor": floor}, (blind, *others))
    everyone = Principal(roles=frozenset("b"), tags=frozenset("a"), purpose="b")
    for principal, model in ((everyone, "auto"), (Principal(), "large")):
        request = Request("r1", principal, model, {"messages": []}, received_at=1_795_000_000.0)
        for assessment in small_facts():
            before = policy.decide(request, assessment)
            for number, kind, category in ((8, "iban", "financial"), (9, "name", "person")):
                finding = Finding("any", kind, category, 1.0, Place("$", 0, 1), value_id=number)
                more = replace(assessment, findings=(*assessment.findings, finding))
                no_further_out(policy.decide(request, more), before)
            image = replace(assessment, unreadable=(*assessment.unreadable, Unreadable("$", "image")))
            no_further_out(policy.decide(request, image), before)
            blank = replace(assessment, tokens=0, language=None, **UNSCORED)
            assert backends_outside(policy.decide(request, blank)) <= backends_outside(before)

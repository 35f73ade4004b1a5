"""Runs the cases that travel with a policy: a request, and what the policy should say about it.

One shape for admins, tests and bug reports; `case_schema.Case` lists its fields. The caller brings the detector and the
scorer, so that the same file checks the rules here and the whole line there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from pydantic import ValidationError

from gateway.core.errors import ConfigurationError
from gateway.core.naming import LOCAL
from gateway.core.ports import Detector, Scorer
from gateway.core.types import (
    Assessment,
    BackendSpec,
    Decision,
    Finding,
    Json,
    Place,
    Principal,
    Request,
    Scan,
    Sensitivity,
    Standing,
    Zone,
)
from gateway.policy import document, mistakes
from gateway.policy.adapters import NONE
from gateway.policy.case_schema import Case, CaseBackend, CaseFile, CaseFinding, Want
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.load import load_policy

CATALOGUE = (
    BackendSpec(
        name="smollm2",
        zone=Zone.LOCAL,
        wire="llama",
        model="smollm2-135m-instruct",
        context=4096,
        images=False,
        tools=False,
        makeshift=frozenset({"tools"}),
        languages=frozenset({"en"}),
    ),
    BackendSpec(name="house", zone=Zone.PRIVATE, wire="openai", model="qwen3-32b"),
    BackendSpec(name="large", zone=Zone.REMOTE, wire="openai", model="large"),
    BackendSpec(name="large-eu", zone=Zone.REMOTE, wire="openai", model="large", region="eu"),
)
"""What cases are decided against when neither they nor the caller name backends."""


@dataclass(frozen=True, slots=True)
class CaseResult:
    note: str
    differences: tuple[str, ...]
    """One per wish that was not met: `zone: want local, have remote`."""
    decision: Decision | None
    """None when the case's own catalogue does not fit the policy."""

    @property
    def passed(self) -> bool:
        return not self.differences


async def run_cases(
    policy_path: Path,
    cases_path: Path,
    *,
    detector: Detector,
    scorer: Scorer,
    backends: Sequence[BackendSpec] = CATALOGUE,
) -> list[CaseResult]:
    """Raises ConfigurationError when the policy or the case file cannot be read.

    What the policy itself adds to the detectors is the caller's to put into `detector`.
    """
    policy = load_policy(policy_path, backends)
    return [await _run(case, policy, policy_path, detector, scorer) for case in read_cases(cases_path).cases]


def read_cases(path: Path) -> CaseFile:
    content = document.read(path)
    try:
        return CaseFile.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(mistakes.sentences(path, error, content, CaseFile)[0]) from error


async def _run(case: Case, policy: CompiledPolicy, policy_path: Path, detector: Detector, scorer: Scorer) -> CaseResult:
    if case.backends is not None:
        try:
            policy = load_policy(policy_path, [_backend(spec) for spec in case.backends])
        except ConfigurationError as error:
            return CaseResult(case.note, (str(error),), None)
    try:
        request = _request(case, policy)
    except ValueError:
        return CaseResult(case.note, ("at: not a time; write it like 2026-11-21T09:30:00+01:00",), None)
    if request.adapter is not None and all(request.adapter not in spec.adapters for spec in policy.catalogue.local):
        return CaseResult(case.note, (f"model: the local model has no adapter {request.adapter!r}",), None)
    assessment = await _assess(case, request, detector, scorer)
    decision = policy.decide(request, assessment)
    return CaseResult(case.note, tuple(_differences(case.want, decision, assessment)), decision)


def _request(case: Case, policy: CompiledPolicy) -> Request:
    local_names = {LOCAL, *(spec.name for spec in policy.catalogue.local)}
    model, adapter = case.model, None
    if (named := case.model.rpartition(":"))[0] in local_names:
        model, _, adapter = named
    return Request(
        id="case",
        principal=Principal(
            tenant=case.tenant,
            roles=frozenset(case.roles),
            tags=frozenset(case.tags),
            public=case.public,
            purpose=case.purpose,
        ),
        model=model,
        body={**case.body, "model": case.model, "messages": _messages(case)},
        asked_model=case.model,
        at_least=None if case.at_least is None else Sensitivity[case.at_least.upper()],
        local_only=model in local_names,
        adapter=adapter,
        received_at=0.0 if case.at is None else _moment(case.at),
    )


def _messages(case: Case) -> Sequence[Json]:
    return case.messages if case.text is None else [{"role": "user", "content": case.text}]


def _moment(text: str) -> float:
    """A time without an offset would mean another moment on another machine."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment.timestamp()


async def _assess(case: Case, request: Request, detector: Detector, scorer: Scorer) -> Assessment:
    if case.findings is None:
        scan = await detector.scan(request.body)
    else:
        scan = Scan(findings=tuple(_findings(case.findings)))
    if case.generic is not None:
        scan = replace(scan, generic=case.generic)
    score = await scorer.score(request)
    if case.complexity is not None:
        score = replace(score, gain=case.complexity, confidence=1.0)
    if case.language is not None:
        score = replace(score, language=case.language, language_confidence=1.0)
    if case.family is not None:
        score = replace(score, family=case.family)
    if case.competence is not None:
        score = replace(score, competence=case.competence)
    return Assessment.of(scan, score, Standing(rank=case.rank, quality=case.quality, share=case.share))


def _findings(given: Sequence[CaseFinding]) -> Iterator[Finding]:
    number = 0
    for entry in given:
        for _ in range(entry.count):
            number += 1  # each its own value
            yield Finding(
                detector="case",
                kind=entry.kind,
                category=entry.category,
                confidence=entry.confidence,
                place=Place("$.messages[0].content", 0, 0),
                value_id=number,
                near=frozenset(entry.near),
                reserved=entry.reserved,
            )


def _backend(given: CaseBackend) -> BackendSpec:
    return BackendSpec(
        name=given.name,
        zone=Zone[given.zone.upper()],
        wire="canned",
        model=given.model,
        context=given.context,
        images=given.images,
        audio=given.audio,
        files=given.files,
        tools=given.tools,
        schema=given.response_schema,
        logprobs=given.logprobs,
        languages=frozenset(given.languages),
        adapters=tuple(given.adapters),
    )


def _differences(want: Want, decision: Decision, assessment: Assessment) -> Iterator[str]:
    have: dict[str, Json] = {
        "zone": str(decision.zone),
        "rule": decision.rule,
        "level": str(decision.level),
        "backend": decision.backend,
        "refusal": decision.refusal,
        "notice": decision.notice is not None,
        "adapter": decision.adapter,
        "cacheable": decision.cacheable,
        "wait_s": decision.wait_s,
        "transform": decision.transform,
        "allowed": [way.backend for way in decision.allowed],
        "findings": sorted({finding.kind for finding in assessment.findings}),
        "reserved": sorted({finding.kind for finding in assessment.findings if finding.reserved}),
    }
    for name in sorted(want.model_fields_set):
        wanted = getattr(want, name)
        if name == "not_findings":
            if there := sorted(set(wanted or ()) & set(have["findings"])):
                yield f"not_findings: want none of {sorted(wanted)}, have {there}"
            continue
        if name in ("findings", "reserved") and wanted is not None:
            wanted = sorted(wanted)
        if name in ("adapter", "transform") and wanted == NONE:
            wanted = None
        if wanted != have[name]:
            yield f"{name}: want {wanted}, have {have[name]}"

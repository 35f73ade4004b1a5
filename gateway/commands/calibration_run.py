"""The run behind `gateway calibrate`: both models asked, the answers labelled, the labels fitted."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from gateway.calibrate.competence import Shadowed
from gateway.calibrate.gather import Gathered, first, gather
from gateway.calibrate.journal import Answer, Journal
from gateway.calibrate.label import JUDGING, Judge, Labels, label, mark_of, may_label
from gateway.calibrate.made import Made, made
from gateway.calibrate.probes import Probe
from gateway.calibrate.report import as_json, report
from gateway.calibrate.sides import Local, Outside, Side, body_of
from gateway.commands.calibrate import Plan, answers_key, now
from gateway.commands.line import Open, open_line
from gateway.core.errors import GatewayError
from gateway.core.ports import LocalBackend
from gateway.core.types import Json
from gateway.shadow.ledger import read
from gateway.wiring.shadow import shadow_place

LOCAL_AT_ONCE = 2
MARK_TOKENS = 16


@dataclass(frozen=True, slots=True)
class Result:
    labels: Labels
    made: Made
    audit: Path
    shadowed: int = 0

    def lines(self) -> Iterator[str]:
        return report(self.labels.rows, self.labels.left_out, self.made, shadowed=self.shadowed)

    def as_json(self) -> dict[str, Json]:
        return as_json(self.labels.rows, self.labels.left_out, self.made)


async def calibrate(plan: Plan, local: LocalBackend, progress: Callable[[str, int, int], None]) -> Result:
    """Raises GatewayError where one of the models cannot be asked; what was answered until then is kept."""
    labels, answers, audit = Labels(), dict[str, Answer](), plan.out.parent
    try:
        with Journal(plan.journal, fresh=plan.fresh) as journal:
            async with open_line(plan.here.settings, plan.here.folder, plan.here.policy, plan.caller, local) as line:
                gathered = await gather(plan.probes, _sides(plan, local, line), journal, progress)
                labels = await _labelled(plan, gathered, journal, line)
                answers, audit = gathered.answers["local"], line.audit
    except* GatewayError as errors:  # what runs beside an open gateway makes a group of every error
        raise first(errors) from None
    shadowed = _shadowed(plan, local)
    told = made(
        labels.rows, answers, plan.here.specs[0], plan.pins,
        f"{plan.against.name} {plan.against.digest[:16]}", now(), shadowed=shadowed,
    )  # fmt: skip
    return Result(labels, told, audit, len(shadowed))


def _shadowed(plan: Plan, local: LocalBackend) -> list[Shadowed]:
    """How far these two models agreed on the operator's own requests. That too makes labels of what the remote said."""
    if not may_label(plan.against):
        return []
    return [
        Shadowed(row.tenant, row.family, row.language, min(1.0, max(0.0, row.agreement)))
        for row in read(shadow_place(plan.here.settings, plan.here.folder))
        if row.local_digest == local.spec.digest and row.backend_digest == plan.against.digest
        if row.language is not None and row.agreement is not None
    ]


def _sides(plan: Plan, local: LocalBackend, line: Open) -> list[tuple[str, Side, int]]:
    key = answers_key(plan.against, line.gateway.policies.current().digest, plan.caller)
    return [
        ("local", Local(local, _local_key(plan), plan.max_tokens), LOCAL_AT_ONCE),
        ("remote", Outside(line.to(plan.against.name), key, plan.remote_max_tokens), plan.at_once),
    ]


def _local_key(plan: Plan) -> str:
    pins = plan.pins
    return hashlib.sha256("\0".join([pins.model, pins.quantisation, pins.template]).encode()).hexdigest()[:16]


async def _labelled(plan: Plan, gathered: Gathered, journal: Journal, line: Open) -> Labels:
    return await label(
        plan.probes,
        gathered.answers["local"],
        gathered.answers["remote"],
        agreement=may_label(plan.against),
        judge=_judge(plan, journal, line),
    )


def _judge(plan: Plan, journal: Journal, line: Open) -> Judge | None:
    """Each answer alone, through the line: a probe that may not go to the judge gets no mark."""
    if plan.judge is None:
        return None
    way = line.to(plan.judge.name)
    key = answers_key(plan.judge, line.gateway.policies.current().digest, plan.caller)

    async def mark(probe: Probe, answer: str) -> int | None:
        side = f"judge {key} {hashlib.sha256(answer.encode()).hexdigest()[:16]}"
        told = journal.get(side, probe)
        if told is None:
            told = await way(body_of(JUDGING.format(question=probe.prompt, answer=answer), MARK_TOKENS))
            journal.add(side, probe, told)
        return None if told.kept is not None else mark_of(told.text)

    return mark

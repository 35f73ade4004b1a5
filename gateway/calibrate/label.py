"""Who was right: gold answers first, then agreement, then a judge that sees one answer at a time.

    gold        both answers are compared with the gold one
    agreement   no gold answer: two answers with the same words are both right; two short ones that differ are a wrong
                local and a right remote one
    judge       the rest, one answer at a time, never two side by side: judges prefer the longer and the first one

The last two make labels of what a vendor's model said. Its terms may forbid that, and then it is not done.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from gateway.calibrate.checks import same_answer, tokens
from gateway.calibrate.competence import Answered
from gateway.calibrate.journal import Answer
from gateway.calibrate.probes import Probe, right
from gateway.core.types import BackendSpec

SHORT = 8
"""Words up to which two different answers are taken to say different things."""
GOOD = 4
"""Of 5, from which on a judge's mark means right."""
PERMITTED = "allowed"
"""What `training` of a backend has to say before its answers are used as labels."""
_MARK = re.compile(r"(?<!\d)[1-5](?!\d)")

JUDGING = """Mark how well the answer does what the question asks: 1 = wrong or useless, 5 = right and complete.
Answer with the number only.

Question:
{question}

Answer:
{answer}"""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One probe that both models answered, and which of them was right."""

    probe: Probe
    local: bool
    remote: bool
    by: str
    """gold, agreement or judge."""


def answered(rows: Iterable[Labelled]) -> list[Answered]:
    """The local model's answers, as its competence is counted from them."""
    return [Answered(row.probe.family, row.probe.lang, row.local) for row in rows]


@dataclass(slots=True)
class Labels:
    rows: list[Labelled] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Why probes have no label, and how many."""


Judge = Callable[[Probe, str], Awaitable[int | None]]
"""The mark of one answer, 1 … 5; None where it gave none or the probe may not go there."""


def may_label(spec: BackendSpec) -> bool:
    """Whether its vendor's terms, as the operator stated them, let its answers be used to fit something.

    What is not stated is not permitted.
    """
    first = re.split(r"[\s,;:.(]", spec.training.strip().lower(), maxsplit=1)[0]
    return first == PERMITTED


def refusal(spec: BackendSpec, what: str) -> str:
    stated = f"states `training: {spec.training}`" if spec.training.strip() else "states no `training`"
    return (
        f"backend {spec.name!r} {stated}, so {what}; write `training: {PERMITTED}` in its definition if your contract "
        "lets you, or give the probes gold answers"
    )


async def label(
    probes: Sequence[Probe],
    local: Mapping[str, Answer],
    remote: Mapping[str, Answer],
    *,
    agreement: bool,
    judge: Judge | None = None,
) -> Labels:
    """`agreement` says whether answers of the remote one may be used as labels at all."""
    labels = Labels()
    for probe in probes:
        mine, theirs = local.get(probe.id), remote.get(probe.id)
        if mine is None or theirs is None:
            labels.left_out["no answer"] += 1
        elif theirs.kept is not None:
            labels.left_out[theirs.kept] += 1
        elif probe.check is not None:
            labels.rows.append(Labelled(probe, right(probe, mine.text), right(probe, theirs.text), "gold"))
        elif not agreement:
            labels.left_out["terms"] += 1
        elif (row := _agreed(probe, mine.text, theirs.text, judged=judge is not None)) is not None:
            labels.rows.append(row)
        elif judge is None or (marked := await _judged(judge, probe, mine.text, theirs.text)) is None:
            labels.left_out["no label"] += 1
        else:
            labels.rows.append(marked)
    return labels


def mark_of(text: str) -> int | None:
    """The judge's mark; None for an answer without one."""
    found = _MARK.search(text)
    return int(found[0]) if found else None


def _agreed(probe: Probe, mine: str, theirs: str, *, judged: bool) -> Labelled | None:
    if same_answer(mine, theirs):
        return Labelled(probe, True, True, "agreement")
    if not judged and max(len(tokens(mine)), len(tokens(theirs))) <= SHORT:
        return Labelled(probe, False, True, "agreement")
    return None


async def _judged(judge: Judge, probe: Probe, mine: str, theirs: str) -> Labelled | None:
    marks = [await judge(probe, text) if text.strip() else 1 for text in (mine, theirs)]
    if marks[0] is None or marks[1] is None:
        return None
    return Labelled(probe, marks[0] >= GOOD, marks[1] >= GOOD, "judge")

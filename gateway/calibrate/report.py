"""What a run found, for a person to read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from gateway.calibrate.competence import competence
from gateway.calibrate.label import Labelled, answered
from gateway.calibrate.made import Made
from gateway.core.types import Json
from gateway.score.calibration import Cell

_WHY = {
    "policy": "the policy keeps them on this host",
    "rewritten": "a transform rewrote them, so that another question was answered",
    "terms": "no gold answer, and the vendor's terms do not let its answers be used instead",
    "no label": "no gold answer, and nothing else says who was right",
    "no answer": "one of the models gave no answer",
}


def report(rows: Sequence[Labelled], left_out: Counter[str], made: Made, *, shadowed: int = 0) -> Iterator[str]:
    by = Counter(row.by for row in rows)
    yield f"{len(rows)} probes have labels ({', '.join(f'{count} by {how}' for how, count in by.items()) or 'none'})"
    for reason, count in left_out.most_common():
        yield f"  {count} left out: {_WHY.get(reason, reason)}"
    if shadowed:
        yield f"  {shadowed} of your own requests that were asked twice count for what the local model can do"
    if not rows:
        return
    yield f"right: local {made.shares[0]:.1%}, remote {made.shares[1]:.1%}"
    if made.fit is not None:
        apgr = made.fit.apgr
        yield (
            f"APGR {apgr.value:.3f} (95 % interval {apgr.low:.3f} … {apgr.high:.3f}; 0.5 = chance), on probes that the "
            f"fit had not seen; as shipped {made.fit.prior:.3f}, at best {made.fit.best:.3f}"
        )
        shipped, now = made.fit.missed
        yield f"mean squared error of the local chance: {now:.3f}, as shipped {shipped:.3f}"
    if made.cascade is not None:
        yield f"cascade: {made.cascade.why}"
    yield ""
    yield from table(competence(answered(rows)))


def table(cells: Mapping[str, Mapping[str, Cell]]) -> Iterator[str]:
    """The local model's share of right answers by family and language, each with its number of probes."""
    languages = sorted({language for row in cells.values() for language in row})
    yield "right locally  " + "".join(f"{language:>12}" for language in languages)
    for family, row in cells.items():
        told = (f"{row[each].share:.0%} of {row[each].probes}" if each in row else "-" for each in languages)
        yield f"{family:<15}" + "".join(f"{each:>12}" for each in told)


def as_json(rows: Sequence[Labelled], left_out: Counter[str], made: Made) -> dict[str, Json]:
    fit = made.fit
    cells = competence(answered(rows))
    return {
        "written": made.calibration is not None,
        "why": made.why,
        "labelled": dict(Counter(row.by for row in rows)),
        "left_out": dict(left_out),
        "right": {"local": round(made.shares[0], 4), "remote": round(made.shares[1], 4)},
        "apgr": fit and [round(each, 4) for each in (fit.apgr.value, fit.apgr.low, fit.apgr.high)],
        "prior_apgr": fit and round(fit.prior, 4),
        "best_apgr": fit and round(fit.best, 4),
        "local_error": fit and {"shipped": round(fit.missed[0], 4), "fitted": round(fit.missed[1], 4)},
        "cascade": made.cascade and made.cascade.why,
        "competence": {family: {each: list(cell) for each, cell in row.items()} for family, row in cells.items()},
    }

"""From labelled probes to a calibration, or to the reason why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gateway.calibrate.competence import Shadowed, competence, weighed
from gateway.calibrate.drafts import Fitted
from gateway.calibrate.drafts import fit as fit_drafts
from gateway.calibrate.drafts import row as drafted_row
from gateway.calibrate.fit import Fit, Rows, fit
from gateway.calibrate.journal import Answer
from gateway.calibrate.label import Labelled, answered
from gateway.calibrate.prior import prior
from gateway.calibrate.probes import Probe
from gateway.calibrate.sides import HELD, beginning
from gateway.core.types import BackendSpec
from gateway.score.calibration import Calibration, Figures, Pins

LEAST = 100
"""Labelled probes: fewer cannot tell a calibration from a coincidence."""
STEPS = 20
FEWEST = 8
"""Probes of a family below which their gains say nothing about its spread."""


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    calibration: Calibration | None
    """None: nothing may be written, and `why` says so."""
    why: str
    fit: Fit | None = None
    cascade: Fitted | None = None
    shares: tuple[float, float] = (0.0, 0.0)


def made(
    labelled: Sequence[Labelled],
    answers: Mapping[str, Answer],
    spec: BackendSpec,
    pins: Pins,
    against: str,
    made_at: str,
    *,
    shadowed: Sequence[Shadowed] = (),
    seed: int = 0,
) -> Made:
    """Three reasons for none: too few labels, a remote model that is not better, a ranking no better than chance.

    `shadowed` say what the local model can do, and nothing of the remote one.
    """
    shares = (_share([row.local for row in labelled]), _share([row.remote for row in labelled]))
    if len(labelled) < LEAST:
        return Made(None, f"{len(labelled)} probes have labels; a calibration takes at least {LEAST}", shares=shares)
    if not shares[1] > shares[0]:
        return Made(None, "the remote model is not better on these probes, so there is nothing to gain", shares=shares)
    rows = rows_of(labelled, spec)
    fitted = fit(rows, seed=seed)
    drafts = _drafts(labelled, answers, fitted)
    known = answered(labelled)
    if fitted.apgr.says_nothing:
        return Made(None, _coin(fitted), fitted, drafts, shares)
    calibration = Calibration(
        pins=pins,
        against=against,
        made_at=made_at,
        local=fitted.local,
        remote=fitted.remote,
        competence=competence([*known, *weighed(shadowed, known)]),
        quantiles=quantiles([row.probe.family for row in labelled], fitted.gains.tolist()),
        figures=_figures(fitted, len(labelled), shares),
        cascade=drafts.to_json(),
    )
    return Made(calibration, "", fitted, drafts, shares)


def _figures(fitted: Fit, probes: int, shares: tuple[float, float]) -> Figures:
    return Figures(
        probes=probes,
        apgr=round(fitted.apgr.value, 4),
        low=round(fitted.apgr.low, 4),
        high=round(fitted.apgr.high, 4),
        prior_apgr=round(fitted.prior, 4),
        local=round(shares[0], 4),
        remote=round(shares[1], 4),
        strength=fitted.strength,
    )


def rows_of(labelled: Sequence[Labelled], spec: BackendSpec) -> Rows:
    """`spec` is the local model's: what it cannot do at all is no surprise to the scorer."""
    priors = [prior(row.probe.prompt, spec) for row in labelled]
    numbers: dict[str, int] = {}
    items = [numbers.setdefault(item_of(row.probe), len(numbers)) for row in labelled]
    return Rows(
        features=np.array([each.features for each in priors], dtype=float),
        prior=np.array([[each.local, each.remote] for each in priors]),
        right=np.array([[row.local, row.remote] for row in labelled], dtype=float),
        items=np.array(items),
    )


def item_of(probe: Probe) -> str:
    """What versions of one question in several languages share: the part of the id before `.it`."""
    return probe.id.removesuffix(f".{probe.lang}")


def quantiles(families: Sequence[str], gains: Sequence[float]) -> dict[str, tuple[float, ...]]:
    """Gains at evenly spaced quantiles, by family and of all together: what the rolling ones start from."""
    told = {"*": _quantiles(list(gains))}
    for family in sorted(set(families)):
        mine = [gain for gain, of in zip(gains, families, strict=True) if of == family]
        if len(mine) >= FEWEST:
            told[family] = _quantiles(mine)
    return told


def _quantiles(gains: list[float]) -> tuple[float, ...]:
    return tuple(round(float(gain), 4) for gain in np.quantile(gains, np.linspace(0, 1, STEPS + 1)))


def _share(right: Sequence[bool]) -> float:
    return sum(right) / len(right) if right else 0.0


def _coin(fitted: Fit) -> str:
    apgr = fitted.apgr
    return (
        f"the ranking is no better than chance on these probes: APGR {apgr.value:.3f}, 95 % interval "
        f"{apgr.low:.3f} … {apgr.high:.3f} does not lie above 0.5; nothing was written, and the scorer stays as it is"
    )


def _drafts(labelled: Sequence[Labelled], answers: Mapping[str, Answer], fitted: Fit) -> Fitted:
    """Whether the first tokens of a local answer say more than the score does. Judged on scores of unseen rows."""
    rows = []
    for row, chances in zip(labelled, fitted.unseen.tolist(), strict=True):
        begun = beginning(answers[row.probe.id])
        if begun is not None:
            local, remote = chances
            before = ((remote - local + 1) / 2, local, remote)
            rows.append(
                drafted_row(before, begun, local=float(row.local), remote=float(row.remote), group=item_of(row.probe))
            )
    return fit_drafts(rows, tokens=HELD)

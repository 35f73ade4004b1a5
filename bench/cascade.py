"""Whether a local model's first tokens say more than the score does: `python -m bench.cascade --drafts FILE`.

The shipped probes are answered by the real local model (once; FILE keeps its first tokens, keep it out of the
repository). Of the remote model nothing but its being right counts here, so two are made up: one that is always right,
and one that errs as large models do on such questions, more often on hard ones. Every figure is of rows that the head
had not seen; versions of one question in several languages are seen together or not at all.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import numpy as np
from numpy.typing import NDArray

from bench.cascade_drafts import HELD, Drafted, make
from gateway.calibrate.apgr import apgr
from gateway.calibrate.drafts import Row, fit, held_out, row
from gateway.calibrate.fit import fit as calibrate
from gateway.calibrate.label import Labelled
from gateway.calibrate.made import item_of, rows_of
from gateway.calibrate.probes import Probe, load
from gateway.cascade.signs import NAMES
from gateway.core.beginning import Beginning
from gateway.core.types import BackendSpec, Chunk, Zone
from gateway.settings.drafting import Cascade

Array = NDArray[np.float64]

ERRS = {"trivial": 0.01, "easy": 0.03, "medium": 0.08, "hard": 0.2}
"""How often the second made-up remote model is wrong, by the probe's level."""
THRESHOLD = 0.55
DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Measured:
    """The rows of one view: which probes, and which remote model."""

    name: str
    rows: list[Row]
    shipped: Array
    """Gain by the scorer as shipped."""
    groups: NDArray[np.int64]

    @property
    def local(self) -> Array:
        return np.array([each.local for each in self.rows])

    @property
    def remote(self) -> Array:
        return np.array([each.remote for each in self.rows])


def measured(name: str, drafts: Sequence[Drafted], probes: dict[str, Probe], spec: BackendSpec, errs: bool) -> Measured:
    chance = np.random.default_rng(11)
    wrong = {probe_id: chance.random() for probe_id in sorted(probes)}
    labelled = [
        Labelled(probe := probes[each.id], each.right, not errs or wrong[each.id] >= ERRS[probe.level], "gold")
        for each in drafts
    ]
    known = rows_of(labelled, spec)
    calibrated = calibrate(known)
    rows = [
        row(((remote - local + 1) / 2, local, remote), _beginning(draft),
            local=float(label.local), remote=float(label.remote), group=item_of(label.probe))
        for draft, label, (local, remote) in zip(drafts, labelled, calibrated.unseen.tolist(), strict=True)
    ]  # fmt: skip
    return Measured(name, rows, (known.prior[:, 1] - known.prior[:, 0] + 1) / 2, np.asarray(known.items))


def _beginning(draft: Drafted) -> Beginning:
    begun = Beginning(HELD)
    begun.add([Chunk(0, {"content": draft.text}, "stop" if draft.finished else None, confidence=draft.figures)])
    return begun


# ── Figures ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def figures(view: Measured, band: tuple[float, float]) -> dict[str, Any]:
    local, remote = view.local, view.remote
    calibrated = np.array([each.signs[0] for each in view.rows])
    drafted = held_out(view.rows)
    inside = (calibrated >= band[0]) & (calibrated <= band[1])
    fitted = fit(view.rows, tokens=HELD)
    rankings = {
        "score as shipped": view.shipped,
        "score calibrated": calibrated,
        "with drafts": drafted,
        "with drafts in the band only": np.where(inside, drafted, calibrated),
        "oracle": remote - local,
    }
    return {
        "rows": len(view.rows),
        "local_right": round(float(local.mean()), 3),
        "remote_right": round(float(remote.mean()), 3),
        "apgr": {name: round(apgr(ranking, local, remote), 3) for name, ranking in rankings.items()},
        "worth_it": fitted.head is not None,
        "why": fitted.why,
        "auroc_local_wrong": aurocs(view, drafted),
        "in_band": round(float(inside.mean()), 3),
        "of_these_out_without_drafts": _share(calibrated[inside] >= THRESHOLD),
        "of_these_out_with_drafts": _share(drafted[inside] >= THRESHOLD),
    }


def aurocs(view: Measured, drafted: Array) -> dict[str, list[float]]:
    """Of each sign for "the local answer is wrong", turned so that 0.5 is the worst, with a 95 % interval."""
    wrong = 1 - view.local
    signs = {"score as shipped": view.shipped, "score calibrated": np.array([each.signs[0] for each in view.rows])}
    signs |= {name: np.array([each.signs[at] for each in view.rows]) for at, name in enumerate(NAMES) if at > 2}
    signs["all together"] = drafted
    return {name: _auroc_told(sign, wrong, view.groups) for name, sign in signs.items()}


def _auroc_told(sign: Array, wrong: Array, groups: NDArray[np.int64]) -> list[float]:
    turned = sign if auroc(sign, wrong) >= 0.5 else -sign
    chance = np.random.default_rng(5)
    members = [np.flatnonzero(groups == group) for group in np.unique(groups)]
    told = []
    for _ in range(DRAWS):
        drawn = np.concatenate([members[at] for at in chance.integers(0, len(members), len(members))])
        told.append(auroc(turned[drawn], wrong[drawn]))
    low, high = np.nanquantile(told, (0.025, 0.975))
    return [round(auroc(turned, wrong), 3), round(float(low), 3), round(float(high), 3)]


def auroc(sign: Array, wrong: Array) -> float:
    yes, no = sign[wrong == 1], sign[wrong == 0]
    if not len(yes) or not len(no):
        return math.nan
    return float((yes[:, None] > no[None]).mean() + (yes[:, None] == no[None]).mean() / 2)


def times(drafts: Sequence[Drafted]) -> dict[str, float]:
    """Milliseconds to the first token, and what the hold adds before the client sees it."""
    first, held = (np.array([getattr(each, name) for each in drafts]) for name in ("first_ms", "held_ms"))
    return {
        f"{name}_{quantile}": round(float(np.quantile(values, at)), 1)
        for name, values in (("first_ms", first), ("held_ms", held), ("together_ms", first + held))
        for quantile, at in (("p50", 0.5), ("p95", 0.95))
    }


def _share(chosen: NDArray[np.bool_]) -> float | None:
    return round(float(chosen.mean()), 3) if len(chosen) else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drafts", type=Path, required=True)
    parser.add_argument("--model", default="smollm2-135m-instruct")
    parser.add_argument("--probes", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--languages", nargs="*", default=["en"], help="what the model speaks")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    drafts = anyio.run(make, arguments.drafts, arguments.model, arguments.probes, arguments.threads)
    probes = {probe.id: probe for probe in load()}
    spec = BackendSpec("local", Zone.LOCAL, "llama", arguments.model, languages=frozenset(arguments.languages))
    spoken = [each for each in drafts if each.lang in arguments.languages]
    band = Cascade().band
    told: dict[str, Any] = {"model": arguments.model, "times": times(drafts)}
    for name, some in (("all", drafts), ("spoken", spoken)):
        for errs in (False, True):
            view = measured(name, some, probes, spec, errs)
            told[f"{name}, remote {'errs' if errs else 'always right'}"] = figures(view, band)
    print(json.dumps(told, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

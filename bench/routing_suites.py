"""One suite measured: every router's figures over its splits, with paired bootstrap intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from bench.routing_metrics import DRAWS, TARGETS, Array, Bootstrap, Figures, Places, descending, figures, interval, mean
from bench.routing_routers import Line, Split
from bench.routing_rows import Outcomes

SEED = 0
BESIDE = "prompt length"
"""The router that every other one is held against: it costs nothing."""


def measure(suite: Outcomes, splits: Sequence[Split], found: Sequence[Line], draws: int = DRAWS) -> dict[str, Any]:
    """The suite's figures, fit for JSON."""
    gain = suite.strong - suite.weak
    tested = np.unique(np.concatenate([split.test for split in splits]))
    bootstrap = Bootstrap(len(suite), SEED, draws)
    drawn, rows = [], []
    for line in found:
        orders = [_order(gain, split, scores) for split, scores in zip(splits, line.scores, strict=True)]
        drawn.append(bootstrap.apgr(orders))
        every = [figures(delta) for _, delta in orders]
        rows.append({"router": line.router, "trained": line.trained, **_figures(every), **_ends(drawn[-1])})
    beside = [line.router for line in found].index(BESIDE)
    for row, apgr in zip(rows, drawn, strict=True):
        row["over_length"] = round(row["apgr"] - rows[beside]["apgr"], 4)
        row |= {f"over_length_{end}": value for end, value in _ends(apgr - drawn[beside]).items()}
    return {
        "name": suite.name,
        "questions": len(tested),
        "weak": round(float(suite.weak[tested].mean()), 4),
        "strong": round(float(suite.strong[tested].mean()), 4),
        "strong_fixes": round(float((gain[tested] > 0).mean()), 4),
        "strong_breaks": round(float((gain[tested] < 0).mean()), 4),
        "seeds": [split.seed for split in splits],
        "bootstrap": {"draws": draws, "seed": SEED},
        "rows": rows,
    }


def _order(gain: Array, split: Split, scores: Array) -> tuple[Places, Array]:
    """The split's questions in the router's order, and what the strong model gains on each."""
    order = split.test[descending(scores, split.seed)]
    return order, gain[order]


def _figures(every: Sequence[Figures]) -> dict[str, Any]:
    over = mean(every)
    found: dict[str, Any] = {"apgr": round(over.apgr, 4), "exact": round(over.exact, 4)}
    found |= {f"cpt{target * 100:.0f}": round(at, 2) for target, at in zip(TARGETS, over.cpt, strict=True)}
    if len(every) > 1:
        found["per_seed"] = [round(one.apgr, 4) for one in every]
    return found


def _ends(drawn: Array) -> dict[str, float]:
    low, high = interval(drawn)
    return {"low": round(low, 4), "high": round(high, 4)}

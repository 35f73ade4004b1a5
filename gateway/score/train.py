"""Fits what ships: `python -m gateway.score.train --data DIR` writes `data/lexical.json` and `data/ensemble.npz`.

No public data holds outcomes of a 135M model on easy everyday asks, so the heads start from weights set by hand
(`PRIOR`) and labelled rows pull them away from there: ridge regression towards the prior, not towards zero. DIR holds
the files named in `docs/scoring.md`; what ships are numbers, no text.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.score.ask import ask_of
from gateway.score.encoder import Encoder
from gateway.score.features import NAMES, read
from gateway.score.lexicon import DATA, lexicon
from gateway.score.router import HEADS, Router, fit_router, fit_views
from gateway.score.rows import SOURCES, Row, training_rows
from gateway.score.shipped import FILE, packed
from gateway.score.views import views
from gateway.score.weights import save

__all__ = ["Router", "fit_router"]

Array = NDArray[np.float64]

PRIOR: Final = {
    "local": (
        4.3,
        {
            "length": -5.4, "code": -2.6, "maths": -2.2, "prove": -3.4, "reason": -2.4, "why": -1.0,
            "constraint": -1.0, "steps": -1.2, "format": -0.9, "longform": -2.4, "plan": -1.8, "expert": -2.4,
            "quantity": -0.4, "greet": 1.2, "smalltalk": 1.0, "rewrite": 0.9, "translate": 0.8, "extract": 0.9,
            "define": 0.8, "factual": 0.5, "yesno": 0.4, "summarise": 0.6, "sentences": -0.6, "questions": 0.0,
            "numbers": -0.8, "signs": -2.4, "fences": -2.2, "choices": -2.0, "long_words": -0.6, "problem": -2.4,
            "hard_cues": -2.4, "short_easy": 1.0, "tiny": 0.5, "given": 1.4, "turns": -0.3,
        },
    ),
    "remote": (
        2.6,
        {"maths": -0.4, "signs": -0.6, "expert": -0.3, "constraint": -0.3, "choices": -0.4},
    ),
}  # fmt: skip
"""Weights set by hand: (intercept, weights); a feature that is not named has weight 0."""
STRENGTH: Final = 40.0
"""How many rows' worth of belief a weight of the prior has."""
SEED = 0
HELD: Final = frozenset(
    {
        "intercept", "length", "long_words", "sentences", "why", "turns", "tiny", "short_easy", "given", "choices",
        "greet", "smalltalk", "rewrite", "translate", "extract", "define", "factual", "yesno", "summarise",
    }
)  # fmt: skip
"""Weights that stay as set by hand: no labelled row is an easy everyday ask, so the rows cannot speak about them."""
SMALLER = 0.2
"""What is left of the smallest labelled models' chance (0.5B to 9B) for a model of 135M."""
TASKS = frozenset({"math", "mbpp", "human_eval", "agentverse-logicgrid", "gpqa"})
"""Of LLMRouter, by which the formula is pulled. The short quiz tasks are scored by exact match on rare facts or lost
their choices: they would teach that every short question is beyond everybody. The router sees them, for it ranks."""


def pulling(found: Sequence[Row]) -> list[tuple[str, float, float]]:
    """(text, P(local right), P(remote right)) of the rows that pull the formula."""
    return [
        (row.text, SMALLER * min(row.local), float(np.mean(row.remote)))
        for row in found
        if row.source != "LLMRouter" or row.task in TASKS
    ]


def fit(values: Array, labels: Array, prior: Array, steps: int = 30) -> Array:
    """Logistic regression by Newton's method: soft labels, drawn towards `prior`; the first column is the intercept."""
    weights = prior.copy()
    pull = np.array([1e9 if name in HELD else STRENGTH for name in ("intercept", *NAMES)])
    for _ in range(steps):
        chance = 1 / (1 + np.exp(-values @ weights))
        slope = values.T @ (labels - chance) - pull * (weights - prior)
        curve = (values * (chance * (1 - chance))[:, None]).T @ values + np.diag(pull)
        step = np.linalg.solve(curve, slope)
        weights = weights + step
        if float(np.abs(step).max()) < 1e-9:
            break
    return weights


def formula_of(found: Sequence[Row]) -> dict[str, Any]:
    """The document of `data/lexical.json`."""
    rows = pulling(found)
    values = design([text for text, _, _ in rows])
    document: dict[str, Any] = {
        "format": 1,
        "made_by": "python -m gateway.score.train",
        "seed": None,
        "rows": len(rows),
        "data": list(SOURCES),
    }
    for name, labels in (("local", [local for _, local, _ in rows]), ("remote", [remote for _, _, remote in rows])):
        prior, target = prior_of(name), np.array(labels)
        weights = fit(values, target, prior)
        document[name] = {
            "intercept": round(float(weights[0]), 4),
            "weights": {feature: round(float(weight), 4) for feature, weight in zip(NAMES, weights[1:], strict=True)},
            "log_loss": {"prior": log_loss(values, target, prior), "fitted": log_loss(values, target, weights)},
        }
    return document


def router_of(found: Sequence[Row], encoder: Encoder, seed: int = 0) -> Router:
    """The router that ships. How far apart a source's models are is no property of its texts, so it is taken out."""
    gains = np.array([np.mean(row.remote) - np.mean(row.local) for row in found])
    sources = np.array([row.source for row in found])
    overall = gains.mean()
    for source in sorted(set(sources)):
        gains[sources == source] += overall - gains[sources == source].mean()
    return fit_views(views([row.text for row in found], HEADS, encoder), gains, HEADS, seed)


def prior_of(name: str) -> Array:
    intercept, weights = PRIOR[name]
    return np.array([intercept, *(weights.get(feature, 0.0) for feature in NAMES)])


def design(texts: Sequence[str]) -> Array:
    """One row per text: 1 and its features."""
    tables = lexicon()
    return np.array([(1.0, *read(ask_of(text), tables).values) for text in texts])


def log_loss(values: Array, labels: Array, weights: Array) -> float:
    logits = values @ weights
    return round(float(np.mean(np.logaddexp(0, logits) - labels * logits)), 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the labelled files")
    parser.add_argument("--out", type=Path, default=DATA)
    arguments = parser.parse_args()
    found = training_rows(arguments.data)
    text = json.dumps(formula_of(found), indent=1) + "\n"
    (arguments.out / "lexical.json").write_text(text, encoding="utf-8")
    made_of = {"made_by": "python -m gateway.score.train", "data": list(SOURCES), "rows": len(found), "seed": SEED}
    save(FILE, packed(router_of(found, Encoder(), SEED)), made_of, arguments.out)


if __name__ == "__main__":
    main()

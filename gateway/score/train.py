"""Fits the two heads: `python -m gateway.score.train --data DIR` writes `data/lexical.json`.

No public data holds outcomes of a 135M model on easy everyday asks, so the heads start from weights set by hand
(`PRIOR`) and labelled rows pull them away from there: ridge regression towards the prior, not towards zero. DIR holds
the files named in `docs/scoring.md`; what ships are numbers, no text.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from gateway.score.ask import ask_of
from gateway.score.features import NAMES, read
from gateway.score.lexicon import DATA, lexicon
from gateway.score.router import Router, fit_router

__all__ = ["Router", "fit_router", "train"]

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
HELD: Final = frozenset(
    {
        "intercept", "length", "long_words", "sentences", "why", "turns", "tiny", "short_easy", "given", "choices",
        "greet", "smalltalk", "rewrite", "translate", "extract", "define", "factual", "yesno", "summarise",
    }
)  # fmt: skip
"""Weights that stay as set by hand: no labelled row is an easy everyday ask, so the rows cannot speak about them."""
SMALLER = 0.2
"""What is left of the smallest labelled models' chance (0.5B to 9B) for a model of 135M."""
STRONG = ("llama-3.1-nemotron-51b-instruct", "llama-3.3-nemotron-super-49b-v1")
SMALL = ("qwen2.5-7b-instruct", "mistral-7b-instruct-v0.3", "gemma-2-9b-it", "llama-3.1-8b-instruct")
TASKS = frozenset({"math", "mbpp", "human_eval", "agentverse-logicgrid", "gpqa"})
"""gsm8k, mgsm and mmlu overlap with the tests. The short quiz tasks (natural_qa, trivia_qa, openbook_qa, arc_challenge,
commonsense_qa, commongen) are scored by exact match on rare facts or lost their choices: they would teach that every
short question is beyond everybody."""


@dataclass(frozen=True, slots=True)
class Row:
    text: str
    local: float
    """P(local right) as labelled, 0 … 1."""
    remote: float


def rows(directory: Path) -> list[Row]:
    """Every training row, without those that also stand in a test file."""
    tests = {_norm(row["prompt"]) for row in _csv(directory / "routellm_mmlu_dev.csv")}
    tests |= {_norm(row["question"]) for row in _csv(directory / "mgsm_en.csv")}
    return [row for row in _all(directory) if _norm(row.text) not in tests]


def _all(directory: Path) -> Iterator[Row]:
    for row in _csv(directory / "llmrouter_9models_train.csv"):
        if row["task"] in TASKS:
            every = min(float(row[model]) for model in SMALL)
            yield Row(row["prompt"], SMALLER * every, float(np.mean([float(row[model]) for model in STRONG])))
    for name in ("crux", "math-l5"):
        for row in _csv(directory / f"zeroeval_{name}.csv"):
            yield Row(row["question"], SMALLER * _number(row["gemma-2-2b-it"]), _number(row["gpt-4o-2024-08-06"]))
    for language in ("en", "es", "fr"):
        for row in _csv(directory / f"mifeval_{language}.csv"):
            small = _number(row["Qwen__Qwen2.5-0.5B-Instruct-GPTQ-Int4"])
            yield Row(row["prompt"], SMALLER * small, _number(row["gpt-4o-2024-08-06"]))


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


def train(directory: Path) -> dict[str, Any]:
    """The document of `data/lexical.json`."""
    found = rows(directory)
    values = design([row.text for row in found])
    document: dict[str, Any] = {
        "format": 1,
        "made_by": "python -m gateway.score.train",
        "seed": None,
        "rows": len(found),
        "data": [
            {"name": "LLMRouter train (math, mbpp, human_eval, logicgrid, gpqa)", "licence": "MIT"},
            {"name": "ZeroEval crux and math-l5", "licence": "Apache-2.0"},
            {"name": "M-IFEval en, es, fr", "licence": "Apache-2.0"},
        ],
    }
    for name, labels in (("local", [row.local for row in found]), ("remote", [row.remote for row in found])):
        prior, target = prior_of(name), np.array(labels)
        weights = fit(values, target, prior)
        document[name] = {
            "intercept": round(float(weights[0]), 4),
            "weights": {feature: round(float(weight), 4) for feature, weight in zip(NAMES, weights[1:], strict=True)},
            "log_loss": {"prior": log_loss(values, target, prior), "fitted": log_loss(values, target, weights)},
        }
    return document


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


def _csv(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _number(text: str) -> float:
    return float(text or 0)


def _norm(text: str) -> str:
    return re.sub(r"\W+", "", text.lower())[:200]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder with the labelled files")
    parser.add_argument("--out", type=Path, default=DATA / "lexical.json")
    arguments = parser.parse_args()
    arguments.out.write_text(json.dumps(train(arguments.data), indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

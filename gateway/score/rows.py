"""The labelled rows: read from a user's own folder, without those that are a test's, and only those that may be used.

DIR holds the files named in `docs/scoring.md`. Nothing of a text ships: only numbers that were fitted to them.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SOURCES: Final = (
    {"name": "LLMRouter train", "licence": "MIT"},
    {"name": "ZeroEval crux and math-l5", "licence": "Apache-2.0"},
    {"name": "M-IFEval en, es, fr", "licence": "Apache-2.0"},
)
STRONG = ("llama-3.1-nemotron-51b-instruct", "llama-3.3-nemotron-super-49b-v1")
SMALL = ("qwen2.5-7b-instruct", "mistral-7b-instruct-v0.3", "gemma-2-9b-it", "llama-3.1-8b-instruct")
GRADE_SCHOOL = frozenset({"gsm8k", "agentverse-mgsm"})
QUOTED = 100
"""Letters from the start of a test's question that another prompt may quote."""


@dataclass(frozen=True, slots=True)
class Row:
    text: str
    source: str
    """LLMRouter, crux, math-l5 or M-IFEval."""
    task: str
    local: tuple[float, ...]
    """How right each small model was, 0 … 1."""
    remote: tuple[float, ...]
    """How right each large model was."""


def training_rows(directory: Path) -> list[Row]:
    """Every row that may be learnt from, without those that are also a test's."""
    tests = [letters(row["prompt"]) for row in _csv(directory / "routellm_mmlu_dev.csv")]
    tests += [letters(row["question"]) for row in _csv(directory / "mgsm_en.csv")]
    heads = {test[:QUOTED] for test in tests if len(test) >= QUOTED}
    # LLMRouter's own test shares its instructions with the training rows: only the same prompt is the same there.
    whole = {*tests, *(letters(row["prompt"]) for row in _csv(directory / "llmrouter_9models_test.csv"))}
    return [row for row in _all(directory) if not _known(letters(row.text), whole, heads)]


def training_texts(directory: Path) -> list[str]:
    return [row.text for row in training_rows(directory)]


def _all(directory: Path) -> Iterator[Row]:
    for row in _csv(directory / "llmrouter_9models_train.csv"):
        small, strong = (tuple(float(row[model]) for model in models) for models in (SMALL, STRONG))
        # GSM8K and MMLU are tests, whichever of their questions these are.
        if row["task"] not in GRADE_SCHOOL | {"mmlu"}:
            yield Row(row["prompt"], "LLMRouter", row["task"], small, strong)
    for name in ("crux", "math-l5"):
        for row in _csv(directory / f"zeroeval_{name}.csv"):
            one, other = _number(row["gemma-2-2b-it"]), _number(row["gpt-4o-2024-08-06"])
            yield Row(row["question"], name, name, (one,), (other,))
    for language in ("en", "es", "fr"):
        for row in _csv(directory / f"mifeval_{language}.csv"):
            small_one = _number(row["Qwen__Qwen2.5-0.5B-Instruct-GPTQ-Int4"])
            yield Row(row["prompt"], "M-IFEval", language, (small_one,), (_number(row["gpt-4o-2024-08-06"]),))


def _known(text: str, whole: set[str], heads: set[str]) -> bool:
    return text in whole or any(text[at : at + QUOTED] in heads for at in range(max(0, len(text) - QUOTED + 1)))


def _csv(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def _number(text: str) -> float:
    return float(text or 0)


def letters(text: str) -> str:
    return re.sub(r"\W+", "", text.lower())

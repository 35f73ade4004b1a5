"""Reads what two models got right on public questions: RouteLLM's checkout, and a folder (docs/routing.md).

Nothing of it is in this repository. Text is read to be scored; only counts and figures leave this process.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.routing_metrics import Array, Places

csv.field_size_limit(1 << 24)

WEAK, STRONG = "mixtral-8x7b-instruct-v0.1", "gpt-4-1106-preview"
"""RouteLLM's pair. Their files write the first with and without its maker."""
NEMOTRON, GPT4O = "llama-3.1-nemotron-51b-instruct", "gpt-4o-2024-08-06"
HEAD = 100
"""Letters and digits from the start of a question that another prompt may quote."""


_WORDS = {"true": 1.0, "false": 0.0, "": 0.0}


class NotHere(Exception):
    """A file of a suite is missing: the suite is left out and said so."""


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Questions and what each of two models made of them, 0 … 1."""

    name: str
    texts: tuple[str, ...] = field(repr=False)
    weak: Array = field(repr=False)
    strong: Array = field(repr=False)
    groups: tuple[str, ...] = field(repr=False)
    """Subject or task of each question."""

    def __len__(self) -> int:
        return len(self.texts)

    def at(self, places: Sequence[int] | Places) -> Outcomes:
        chosen = np.asarray(places, dtype=np.intp)
        return Outcomes(
            self.name,
            tuple(self.texts[at] for at in chosen),
            self.weak[chosen],
            self.strong[chosen],
            tuple(self.groups[at] for at in chosen),
        )

    def named(self, name: str) -> Outcomes:
        return replace(self, name=name)

    def where(self, keep: Callable[[str, str], bool]) -> Outcomes:
        """The questions whose text and group are wanted."""
        pairs = enumerate(zip(self.texts, self.groups, strict=True))
        return self.at([at for at, (text, group) in pairs if keep(text, group)])

    def without(self, *tests: Outcomes, quoted: bool = False) -> Outcomes:
        """Without questions that also stand in a test; `quoted`: nor those that hold one behind an instruction."""
        seen = {letters(text) for test in tests for text in test.texts}
        heads = {one[:HEAD] for one in seen if len(one) >= HEAD} if quoted else set()
        return self.where(lambda text, _: letters(text) not in seen and not _quotes(text, heads))


def _quotes(text: str, heads: set[str]) -> bool:
    plain = letters(text)
    return bool(heads) and any(plain[at : at + HEAD] in heads for at in range(max(0, len(plain) - HEAD + 1)))


def letters(text: str) -> str:
    """What two prompts are compared by."""
    return re.sub(r"\W+", "", text.lower())


def outcomes(name: str, rows: Iterable[tuple[str, float, float, str]]) -> Outcomes:
    found = list(rows)
    if not found:
        raise NotHere(f"{name} holds no questions")
    texts, weak, strong, groups = zip(*found, strict=True)
    return Outcomes(name, texts, np.array(weak, dtype=np.float64), np.array(strong, dtype=np.float64), groups)


def joined(name: str, *parts: Outcomes) -> Outcomes:
    return Outcomes(
        name,
        tuple(text for part in parts for text in part.texts),
        np.concatenate([part.weak for part in parts]),
        np.concatenate([part.strong for part in parts]),
        tuple(group for part in parts for group in part.groups),
    )


# ── RouteLLM's checkout ─────────────────────────────────────────────────────────────────────────────────────────────


def routellm_mmlu(checkout: Path) -> Outcomes:
    folder = _evals(checkout) / "mmlu"
    dirty = contaminated(folder)
    files = sorted((folder / "responses").glob("mmlu_*.csv"))
    if not files:
        raise NotHere(f"no responses in {folder.name!r}")
    rows = ((row, path.stem.removeprefix("mmlu_")) for path in files for row in table(path))
    return outcomes("MMLU", (_pair(row, group) for row, group in rows if row["prompt"] not in dirty))


def routellm_gsm8k(checkout: Path) -> Outcomes:
    folder = _evals(checkout) / "gsm8k"
    dirty = contaminated(folder)
    rows = table(folder / "gsm8k_responses.csv")
    return outcomes("GSM8K", (_pair(row, "gsm8k") for row in rows if row["prompt"] not in dirty))


def routellm_mt_bench(checkout: Path) -> Outcomes:
    """The first turn is routed, both turns are judged: the mean of a model's scores, 1 … 10 made 0 … 1."""
    folder = _evals(checkout) / "mt_bench"
    dirty = contaminated(folder)
    scores: dict[tuple[int, str], list[float]] = {}
    for row in lines(folder / "judgements.jsonl"):
        if (model := _model(row["model"])) is not None:
            scores.setdefault((int(row["question_id"]), model), []).append(float(row["score"]))
    kept = (row for row in lines(folder / "question.jsonl") if not dirty & set(row["turns"]))
    return outcomes(
        "MT-Bench",
        (
            (
                row["turns"][0],
                *(float(np.mean(scores[int(row["question_id"]), model])) / 10 for model in (WEAK, STRONG)),
                row.get("category", ""),
            )
            for row in kept
        ),
    )


def contaminated(folder: Path) -> set[str]:
    """Prompts that also stand in the battles RouteLLM trained on: they leave them out of their tests, so do we."""
    return {row["eval_prompt"] for row in lines(folder / "contaminated_prompts.jsonl")}


def _evals(checkout: Path) -> Path:
    for folder in (checkout / "routellm" / "evals", checkout / "evals", checkout):
        if (folder / "mmlu").is_dir() or (folder / "gsm8k").is_dir() or (folder / "mt_bench").is_dir():
            return folder
    raise NotHere("no routellm/evals in the checkout")


def _pair(row: Mapping[str, str], group: str) -> tuple[str, float, float, str]:
    columns = {model: name for name in row if name and (model := _model(name)) is not None}
    return row["prompt"], truth(row[columns[WEAK]]), truth(row[columns[STRONG]]), group


def _model(name: str) -> str | None:
    short = name.lower().rpartition("/")[2]
    return short if short in (WEAK, STRONG) else None


# ── the folder of rows ──────────────────────────────────────────────────────────────────────────────────────────────


def mmlu_dev(folder: Path) -> Outcomes:
    """The 27 subjects of RouteLLM's MMLU file that may be looked at while developing."""
    rows = table(folder / "routellm_mmlu_dev.csv")
    return outcomes("MMLU", ((r["prompt"], truth(r["weak"]), truth(r["strong"]), r["domain"]) for r in rows))


def llmrouter(folder: Path, weak: str) -> tuple[Outcomes, Outcomes]:
    """To learn from and to be asked about; no question stands in both."""
    train, test = (
        labelled(folder / f"llmrouter_9models_{part}.csv", "LLMRouter", weak, NEMOTRON) for part in ("train", "test")
    )
    return train.without(test), test


def labelled(path: Path, name: str, weak: str, strong: str, *, text: str = "prompt") -> Outcomes:
    """A file with one column per model."""
    rows = table(path)
    return outcomes(name, ((row[text], truth(row[weak]), truth(row[strong]), row.get("task", name)) for row in rows))


def parallel(folder: Path, languages: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The same questions in several languages."""
    found = {code: tuple(row["question"] for row in table(folder / f"mgsm_{code}.csv")) for code in languages}
    if len({len(texts) for texts in found.values()}) != 1:
        raise ValueError("the languages do not have the same number of questions")
    return found


def truth(cell: str) -> float:
    """True, False, 0, 1, a share, or nothing, which counts as wrong."""
    word = cell.strip().lower()
    return _WORDS[word] if word in _WORDS else float(word)


def table(path: Path) -> Iterator[dict[str, str]]:
    if not path.is_file():
        raise NotHere(f"{path.name} is not there")
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    if not path.is_file():
        raise NotHere(f"{path.name} is not there")
    with path.open(encoding="utf-8") as file:
        yield from (json.loads(line) for line in file if line.strip())

"""Time and quality of the lexical scorer: `python bench/score.py [--routing DIR] [--privacy DIR] [--json FILE]`.

Without folders only time is measured. With them: languages, sides of the shipped threshold on rows that were not tuned
on, and APGR beside prompt length. The folders are described in `docs/scoring.md`.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import anyio

from gateway.core.types import Principal, Request
from gateway.score.formula import THRESHOLD
from gateway.score.scorer import EnsembleScorer

PROSE = (
    "Could you explain how the two contracts differ, and which of them our suppliers in Lyon would rather sign? "
    "The first one was drawn up in 2019 and has been renewed twice since; the second is the draft that came last week. "
)
CODE = "def merge(rows):\n    out = []\n    for row in sorted(rows):\n        out.append(row)\n    return out\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--routing", type=Path)
    parser.add_argument("--privacy", type=Path)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    scorer = EnsembleScorer()
    result: dict[str, Any] = {"time_us": anyio.run(times, scorer)}
    if arguments.privacy:
        result["language"] = languages(scorer, arguments.privacy, arguments.routing)
        result["sides"] = sides(scorer, arguments.privacy, arguments.routing)
    if arguments.routing:
        result["parallel"] = parallel(scorer, arguments.routing)
        result["apgr"] = apgr_rows(scorer, arguments.routing)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n", encoding="utf-8")


async def times(scorer: EnsembleScorer) -> dict[str, dict[str, float]]:
    """CPU microseconds of one whole `score()`, median of many, by size and kind of text."""
    kinds = {"prose": PROSE, "code": CODE, "wish": PROSE + "Please use the best model for this. "}
    sizes = (200, 400, 2_000, 20_000, 1_000_000)
    return {kind: {f"{size:,}": await median(scorer, (text * (size // len(text) + 1))[:size]) for size in sizes}
            for kind, text in kinds.items()}  # fmt: skip


async def median(scorer: EnsembleScorer, text: str) -> float:
    body = {"messages": [{"role": "system", "content": "You are helpful."}, {"role": "user", "content": text}]}
    request = Request(id="b", principal=Principal(), model="auto", body=body)
    taken = []
    for _ in range(400 if len(text) < 50_000 else 10):
        start = time.process_time_ns()
        await scorer.score(request)
        taken.append((time.process_time_ns() - start) / 1000)
    return round(statistics.median(taken), 1)


def languages(scorer: EnsembleScorer, privacy: Path, routing: Path | None) -> dict[str, dict[str, float]]:
    """Per language, of texts of 40 characters and more: share decided rightly, share decided wrongly."""
    texts = [(row["lang"], row["text"]) for row in prompts(privacy)]
    croatian = re.compile("[čćšžđ]|^Koj|^U (?:koj|čem)")  # some Italian exam rows are in Croatian
    if routing:
        texts += [
            (code, row["question"]) for code in ("en", "es", "de", "fr") for row in rows(routing / f"mgsm_{code}.csv")
        ]
        texts += [
            ("it", row["prompt"])
            for name in ("dev", "train")
            for row in rows(routing / f"exams_it_{name}.csv")
            if not croatian.search(row["prompt"])
        ]
        texts += [("it", row["premise"]) for row in rows(routing / "xcopa_it_test.csv")]
    texts = list(dict.fromkeys(texts))
    table: dict[str, dict[str, float]] = {}
    for code in ("en", "it", "es", "de", "fr"):
        for name, low, high in ((code, 40, 10**9), (f"{code} short", 1, 40)):
            said = [
                scorer.score_text(text).language for lang, text in texts if lang == code and low <= len(text) < high
            ]
            right, wrong = said.count(code), sum(1 for answer in said if answer not in {code, None})
            if said:
                table[name] = {"rows": len(said), "right": share(right, len(said)), "wrong": share(wrong, len(said)),
                               "wrong of decided": share(wrong, right + wrong)}  # fmt: skip
    return table


def sides(scorer: EnsembleScorer, privacy: Path, routing: Path | None) -> dict[str, dict[str, float]]:
    """Share of rows on the hard side of the shipped threshold."""
    groups: dict[str, list[str]] = {}
    for row in prompts(privacy):
        groups.setdefault(f"{row['source']} {row['lang']}", []).append(row["text"])
    if routing:
        for name in ("crux", "math-l5"):
            groups[f"zeroeval {name}"] = [row["question"] for row in rows(routing / f"zeroeval_{name}.csv")]
        for row in rows(routing / "llmrouter_9models_test.csv"):
            groups.setdefault(f"llmrouter test {row['task']}", []).append(row["prompt"])
        groups["exams_it dev"] = [row["prompt"] for row in rows(routing / "exams_it_dev.csv")]
    table = {}
    for name, texts in sorted(groups.items()):
        gains = [scorer.score_text(text).gain or 0.0 for text in texts]
        table[name] = {"rows": len(gains), "hard": share(sum(gain >= THRESHOLD for gain in gains), len(gains)),
                       "median": round(statistics.median(gains), 3)}  # fmt: skip
    return table


def parallel(scorer: EnsembleScorer, routing: Path) -> dict[str, float]:
    """Same item, other language: share of items on the side of the English one."""
    found = {code: [scorer.score_text(row["question"]).gain or 0.0 for row in rows(routing / f"mgsm_{code}.csv")]
             for code in ("en", "es", "de", "fr")}  # fmt: skip
    english = [gain >= THRESHOLD for gain in found["en"]]
    same = {code: share(sum((g >= THRESHOLD) == e for g, e in zip(gains, english, strict=True)), len(english))
            for code, gains in found.items()}  # fmt: skip
    every = share(
        sum(len({g >= THRESHOLD for g in item}) == 1 for item in zip(*found.values(), strict=True)), len(english)
    )
    return {**same, "all four": every, "english hard": share(sum(english), len(english))}


def apgr_rows(scorer: EnsembleScorer, routing: Path) -> dict[str, dict[str, float]]:
    mmlu = list(rows(routing / "routellm_mmlu_dev.csv"))
    test = list(rows(routing / "llmrouter_9models_test.csv"))
    strong = ("llama-3.1-nemotron-51b-instruct", "llama-3.3-nemotron-super-49b-v1")
    sets = {
        "routellm mmlu (dev half)": (mmlu, "weak", ("strong",)),
        "llmrouter test, mistral-7b": (test, "mistral-7b-instruct-v0.3", strong[:1]),
        "llmrouter test, codegemma-7b": (test, "codegemma-7b", strong[:1]),
    }
    table = {}
    for name, (found, weak, better) in sets.items():
        low = [float(row[weak]) for row in found]
        high = [statistics.mean(float(row[model]) for model in better) for row in found]
        gains = [scorer.score_text(row["prompt"]).gain or 0.0 for row in found]
        lengths = [float(len(row["prompt"])) for row in found]
        table[name] = {"rows": len(found), "lexical": apgr(gains, low, high), "length": apgr(lengths, low, high)}
    return table


def apgr(scores: Sequence[float], weak: Sequence[float], strong: Sequence[float]) -> float:
    """Average share of the gap that is recovered, over all shares of calls to the strong model (exact curve)."""
    order = sorted(range(len(scores)), key=lambda at: -scores[at])
    gap = sum(strong) - sum(weak)
    total = recovered = 0.0
    for at in order:
        recovered += strong[at] - weak[at]
        total += recovered / gap
    return round(total / len(order), 4)


def share(part: int, whole: int) -> float:
    return round(part / whole, 4) if whole else 0.0


def prompts(privacy: Path) -> Iterator[dict[str, Any]]:
    """Prompts of everyday use; rows that may not be used commercially are left out."""
    return (row for row in lines(privacy / "clean_prompts.jsonl") if row["source"] != "llmzoo")


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


if __name__ == "__main__":
    main()

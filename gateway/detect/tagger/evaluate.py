"""Measures the tagger on rows it did not learn from: `python -m gateway.detect.tagger.evaluate --data DIR`.

Aggregates only. `--share tune` takes the rows that thresholds are chosen on, `--share judge` those that figures are
reported from.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from gateway.detect.tagger import corpus
from gateway.detect.tagger.invent import IGNORED, Example
from gateway.detect.tagger.tagger import Span, Tagger

ELSEWHERE = (
    "wikineural_it",
    "wikineural_es",
    "wikineural_de",
    "wikineural_fr",
    "wikineural_en",
    "kind_wikinews",
    "kind_fiction",
)
"""Never trained on: their licences forbid it."""
SHARES = {"tune": {2}, "judge": {0, 1}}


def tally(pairs: Iterable[tuple[Example, list[Span]]], kind: str) -> Counter[str]:
    """Gold spans, those covered by half and more, their characters; spans found, and those at least half right."""
    counts: Counter[str] = Counter()
    for example, found in pairs:
        gold = [(s, e) for s, e, k in example.spans if k == kind]
        doubtful = [(s, e) for s, e, k in example.spans if k == IGNORED]
        ours = [(s, e) for s, e, k, _ in found if k == kind]
        for span in gold:
            covered = _overlap(span, ours)
            counts["gold"] += 1
            counts["covered"] += 2 * covered >= span[1] - span[0]
            counts["gold_chars"] += span[1] - span[0]
            counts["covered_chars"] += covered
        for span in ours:
            if not _overlap(span, doubtful):
                counts["found"] += 1
                counts["right"] += 2 * _overlap(span, gold) >= span[1] - span[0]
    return counts


def _overlap(span: tuple[int, int], others: list[tuple[int, int]]) -> int:
    return sum(max(0, min(span[1], end) - max(span[0], start)) for start, end in others)


def judged(tagger: Tagger, folder: Path, shares: set[int]) -> Iterator[tuple[str, Example, list[Span]]]:
    for name in corpus.TRAINED:
        for row in corpus.rows(folder, name):
            example = corpus.example(row, {})
            if corpus.share(example.group) in shares or row["source"] == "llmzoo":
                label = row["source"] if name == "clean_prompts" else name
                yield label, example, tagger.spans(row["text"])
    for name in ELSEWHERE:
        for row in corpus.rows(folder, name):
            spans = tuple((s, e, "person") for s, e, label in row["spans"] if label == "PER")
            if corpus.share(row["id"]) in shares:
                yield name, Example(row["lang"], row["text"], spans), tagger.spans(row["text"])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m gateway.detect.tagger.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--share", choices=sorted(SHARES), default="tune")
    chosen = parser.parse_args()
    tagger = Tagger.load()
    groups: dict[str, list[tuple[Example, list[Span]]]] = defaultdict(list)
    began, size = time.thread_time(), 0
    for name, example, found in judged(tagger, chosen.data, SHARES[chosen.share]):
        groups[name].append((example, found))
        size += len(example.text)
    spent = time.thread_time() - began
    lines = [f"{'set':22}{'rows':>6}{'hit':>7}  | person: recall chars precision | address: recall precision"]
    for name, pairs in groups.items():
        person, address = tally(pairs, "person"), tally(pairs, "postal_address")
        hit = sum(bool(found) for _, found in pairs) / len(pairs)
        lines.append(
            f"{name:22}{len(pairs):6}{hit:7.3f}  | {_part(person, 'covered', 'gold')} "
            f"{_part(person, 'covered_chars', 'gold_chars')} {_part(person, 'right', 'found')}"
            f" | {_part(address, 'covered', 'gold')} {_part(address, 'right', 'found')}"
        )
    lines.append(f"{size} characters, {1e6 * spent / size:.3f} ms per 1,000 with reading the rows")
    sys.stdout.write("\n".join(lines) + "\n")


def _part(counts: Counter[str], part: str, whole: str) -> str:
    return f"{counts[part] / counts[whole]:.3f} ({counts[whole]:5})" if counts[whole] else "    -        "


if __name__ == "__main__":
    main()

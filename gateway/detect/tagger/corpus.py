"""Labelled rows that may be trained on, read from a folder of JSON lines; each source says what its labels mean."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

from gateway.detect.tagger.invent import IGNORED, Example
from gateway.detect.tagger.words import COMMON, FIRST, LAST, plain

_KINDS = {
    "NOMBRE_SUJETO_ASISTENCIA": "person",
    "NOMBRE_PERSONAL_SANITARIO": "person",
    "CALLE": "postal_address",
    "PERSON_NAME": "person",
    "PERSON": "person",
    "STREET_ADDRESS": "postal_address",
}
TRAINED = (
    "meddocan",
    "piianon_legal",
    "piianon_clinical",
    "piianon_technology",
    "piianon_adversarial",
    "presidio_synth_v2",
    "pupa",
    "clean_prompts",
)
_NOT_OURS = {"llmzoo"}
"""Sources inside a file whose licence does not allow training."""
_MATHS = {"gsm8k", "mgsm"}
_CAPITAL = re.compile(r"[A-ZÀ-Ý][^\W\d_]+(?:[ '’-]+[A-ZÀ-Ý][^\W\d_]+)*")


def rows(folder: Path, name: str) -> Iterator[dict[str, Any]]:
    with (folder / f"{name}.jsonl").open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)


def examples(folder: Path, bits: dict[str, int]) -> Iterator[Example]:
    for name in TRAINED:
        for row in rows(folder, name):
            if row["source"] in _NOT_OURS:
                continue
            yield example(row, bits)


def example(row: dict[str, Any], bits: dict[str, int]) -> Example:
    text: str = row["text"]
    source: str = row["source"]
    if source == "pupa":
        spans = _units(text, row["spans"], bits)
    elif source in _MATHS:
        # Invented people of arithmetic problems: neither lesson is right.
        spans = [(m.start(), m.end(), IGNORED) for m in _CAPITAL.finditer(text) if _named(m[0], bits)]
    else:
        spans = [(start, end, _KINDS[label]) for start, end, label in row["spans"] if label in _KINDS]
        if source.startswith("piianon"):
            spans = _repeated(text, spans)
    return Example(row["lang"], text, tuple(_apart(spans)), group(row))


def group(row: dict[str, Any]) -> str:
    """What a row shares with its likes: its template where it was made from one."""
    source = row["source"]
    if "tid" in row:
        return f"{source}:{row['tid']}"
    if source.startswith("piianon"):
        skeleton = [word for word in re.findall(r"[^\W\d_]+", row["text"]) if word.islower()]
        return f"{source}:{' '.join(skeleton[:6])}"
    if source == "pupa":  # some prompts are there twice
        return f"pupa:{row['text'][:80]}"
    return str(row["id"])


def share(name: str) -> int:
    """0 to 9, the same on every machine: 0 and 1 are kept for judging, 2 for tuning, the rest teach."""
    return sha256(name.encode()).digest()[0] % 10


def _units(text: str, spans: list[list[Any]], bits: dict[str, int]) -> list[tuple[int, int, str]]:
    """Units that a model called private: those that look like names are names, other capitals are in doubt."""
    found = []
    for start, end, _ in spans:
        unit = text[start:end]
        words = unit.split()
        capital = all(word[:1].isupper() for word in words)
        known = [bits.get(plain(word.strip(".,'’")), 0) for word in words]
        sure = capital and bool(words) and not known[0] & COMMON
        full = sure and 1 < len(words) < 5 and bool(known[0] & FIRST) and "&" not in unit
        lone = sure and len(words) == 1 and unit.isalpha() and bool(known[0] & (FIRST | LAST))
        found.append((start, end, "person" if full or lone else IGNORED))
    # Names that the labels forgot.
    found += [(match.start(), match.end(), IGNORED) for match in _CAPITAL.finditer(text) if _named(match[0], bits)]
    return found


def _named(text: str, bits: dict[str, int]) -> bool:
    known = [bits.get(plain(word), 0) for word in re.split(r"[ '’-]+", text)]
    return any(listed & FIRST and not listed & COMMON for listed in known)


def _repeated(text: str, spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Names are labelled once in some documents: their other mentions are in doubt, the whole ones are names."""
    found = list(spans)
    for name in {text[start:end] for start, end, kind in spans if kind == "person"}:
        found += [(m.start(), m.end(), "person") for m in re.finditer(re.escape(name), text)]
        for part in name.split():
            if len(part) > 2:
                found += [(m.start(), m.end(), IGNORED) for m in re.finditer(rf"\b{re.escape(part)}\b", text)]
    return found


def _apart(spans: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """Without overlaps: labels before doubts, longer before shorter."""
    kept: list[tuple[int, int, str]] = []
    for span in sorted(set(spans), key=lambda s: (s[2] == IGNORED, s[0] - s[1], s)):
        if not any(span[0] < end and start < span[1] for start, end, _ in kept):
            kept.append(span)
    return sorted(kept)

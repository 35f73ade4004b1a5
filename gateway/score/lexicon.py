"""The word tables: cues of intent per language and what tells languages apart, read once from `data/`.

A table is plain text, one file per language, so that a native speaker can correct it without reading code. Every lookup
at run time is a dict lookup by token: no regular expression grows with the tables.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

DATA = Path(__file__).with_name("data")
LANGUAGES = ("en", "it", "es", "de", "fr")
STEM = 6
"""Length of a stem: one slice and one lookup per token. Shorter stems catch strangers, longer ones miss forms."""
OPENING = 1
"""A cue marked `^` counts at the very start only."""
WEIGHTS = {"words": 1.0, "strong": 1.0, "ends": 0.5, "marks": 1.0}
"""What an entry of `languages.txt` counts. A strong word is listed under `words` or not; its weight comes on top."""

TOKEN = re.compile(r"[^\W\d_]+|\d+(?:[.,]\d+)*")
"""A run of letters or a number. Apostrophes and hyphens separate, so that `l'analyse` is found under `analyse`."""
ASCII_TOKEN = re.compile(r"[A-Za-z]+|[0-9]+(?:[.,][0-9]+)*")
"""The same for ASCII, in half the time."""
GIVEN = ("rewrite", "translate", "extract", "summarise")
"""Cues of a task over a given text."""


@dataclass(frozen=True, slots=True)
class Cues:
    """One language's cues, with those of every language."""

    words: Mapping[str, tuple[str, ...]]
    stems: Mapping[str, tuple[str, ...]]
    openers: Mapping[str, tuple[str, ...]]
    phrases: Mapping[str, tuple[tuple[tuple[str, ...], str, bool], ...]]
    """First word → (the other words, cue, only at the start)."""
    given: frozenset[str]
    """Words that have a cue of GIVEN."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a word, an ending or a letter says about the language: (language, weight) pairs."""

    words: Mapping[str, tuple[tuple[str, float], ...]]
    ends: Mapping[str, tuple[tuple[str, float], ...]]
    marks: Mapping[str, tuple[tuple[str, float], ...]]
    keywords: frozenset[str]
    """Words of programs, which are English only by accident."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    cues: Mapping[str | None, Cues]
    """By language; under None the cues of all five together, for text whose language is not known."""
    evidence: Evidence


@cache
def lexicon() -> Lexicon:
    """The shipped tables. Read at the first call, not at import."""
    shared = list(lines_of(DATA / "cues_any.txt"))
    own = {language: list(lines_of(DATA / f"cues_{language}.txt")) for language in LANGUAGES}
    everything = [line for lines in own.values() for line in lines]
    cues: dict[str | None, Cues] = {language: _cues(lines + shared) for language, lines in own.items()}
    cues[None] = _cues(everything + shared)
    return Lexicon(MappingProxyType(cues), _evidence(DATA / "languages.txt"))


@cache
def digest() -> str:
    """SHA-256 over every table and the weights, so that a recorded score names what made it."""
    total = hashlib.sha256()
    for path in sorted(path for path in DATA.iterdir() if path.suffix in {".txt", ".json"}):
        total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def tokens_in(text: str) -> tuple[str, ...]:
    """Every TOKEN of the text, in order."""
    return tuple((ASCII_TOKEN if text.isascii() else TOKEN).findall(text))


def plain(word: str) -> str:
    """Without accents: many people type `perche`."""
    return "".join(c for c in unicodedata.normalize("NFD", word) if not unicodedata.combining(c))


def lines_of(path: Path) -> Iterator[tuple[str, list[str]]]:
    """(name, words) of every line of a table."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, words = line.partition(":")
            yield name.strip(), words.split()


def _cues(lines: list[tuple[str, list[str]]]) -> Cues:
    words: dict[str, tuple[str, ...]] = {}
    stems: dict[str, tuple[str, ...]] = {}
    openers: dict[str, tuple[str, ...]] = {}
    phrases: dict[str, tuple[tuple[tuple[str, ...], str, bool], ...]] = {}
    for cue, entries in lines:
        for entry in entries:
            for spelling in dict.fromkeys((entry, plain(entry)) if len(entry) > 3 else (entry,)):
                opening, text = spelling.endswith("^"), spelling.rstrip("^")
                if text.endswith("*"):
                    if len(text) != STEM + 1:
                        raise ValueError(f"stem {text!r} of cue {cue!r} must have {STEM} letters before the asterisk")
                    _add(stems, text[:-1], cue)
                elif "_" in text:
                    first, *rest = text.split("_")
                    phrases[first] = (*phrases.get(first, ()), (tuple(rest), cue, opening))
                else:
                    _add(openers if opening else words, text, cue)
    given = frozenset(word for word, found in words.items() if not set(GIVEN).isdisjoint(found))
    return Cues(words, stems, openers, phrases, given)


def _add(table: dict[str, tuple[str, ...]], key: str, cue: str) -> None:
    if cue not in table.get(key, ()):
        table[key] = (*table.get(key, ()), cue)


def _evidence(path: Path) -> Evidence:
    listed: dict[str, dict[str, set[str]]] = {kind: {} for kind in (*WEIGHTS, "keywords")}
    for name, entries in lines_of(path):
        language, kind = name.split()
        for entry in entries:
            listed[kind].setdefault(entry, set()).add(language)
    votes: dict[str, dict[str, dict[str, float]]] = {"words": {}, "ends": {}, "marks": {}}
    keywords = frozenset(listed.pop("keywords"))
    for kind, table in listed.items():
        for entry, languages in table.items():
            into = votes["words" if kind == "strong" else kind].setdefault(entry, {})
            for language in sorted(languages):
                into[language] = into.get(language, 0.0) + WEIGHTS[kind] / len(languages)
    return Evidence(
        **{kind: {entry: tuple(into.items()) for entry, into in table.items()} for kind, table in votes.items()},
        keywords=keywords,
    )

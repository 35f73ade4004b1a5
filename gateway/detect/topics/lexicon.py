"""The words of every topic in five languages, read from `data/` and laid out for looking up one word after another."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import product
from typing import NamedTuple

from gateway.detect.gate import lowered

LANGUAGES = ("it", "es", "de", "fr", "en")
EVERY = "every"
TOPICAL = frozenset(
    {"illness", "sign", "afflicted", "shouted", "religion", "politics", "union", "ethnicity", "orientation",
     "criminal_record", "child", "pupil", "salary", "debt", "counsel", "privilege", "litigation", "deal", "unreleased",
     "called", "title", "custody", "school_year", "finances", "mandate", "advice", "house_secret"}
)  # fmt: skip
"""Lists without a word of which a text has no topic; the others only say whose it is."""

_ACCENTS = str.maketrans(
    "àáâãäåçèéêëìíîïñòóôõöùúûüýÿßœæ’",
    "aaaaaaceeeeiiiinooooouuuuyysoa'",
)
_WRITTEN_OUT = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "œ": "oe", "æ": "ae"}
_LONG, _LONGEST, _SHORTEST = 6, 18, 4
"""Letters of a word that may have an ending, and of the longest and shortest ending there is."""


def fold(text: str) -> str:
    """Lower case without accents, character for character: people leave both out."""
    return lowered(text) if text.isascii() else lowered(text).translate(_ACCENTS)


class Entry(NamedTuple):
    rest: tuple[str, ...]
    """The words after the first."""
    listed: str
    language: str
    accents: tuple[int, ...]
    """Where the first word has them. A text may leave them out, but it may not put them elsewhere: élève, élevé."""


def accents(word: str) -> tuple[int, ...]:
    return tuple(place for place, letter in enumerate(word) if not letter.isascii())


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Every entry by its first word."""

    entries: Mapping[str, tuple[Entry, ...]] = field(repr=False)
    """First word → what begins with it, longest first."""
    topical: frozenset[str] = field(repr=False)
    """First words of entries that are a topic."""
    endings: Mapping[str, tuple[Entry, ...]] = field(repr=False)
    """Ending of long words → its lists: medicine builds its words."""
    tails: frozenset[str] = field(repr=False)
    """The last letters of the endings."""
    plain: frozenset[str] = field(repr=False)
    """Words that only look as if medicine had built them."""
    common: Mapping[str, Mapping[str, float]] = field(repr=False)
    """Word that tells languages apart → language → how much it says for it."""
    digest: str

    def look_up(self, word: str) -> tuple[Entry, ...]:
        """What may begin with a word."""
        return self.entries.get(word) or (self.built(word) if len(word) > _LONG else ())

    def built(self, word: str) -> tuple[Entry, ...]:
        """What a word's ending makes of it."""
        if word[-_SHORTEST:] not in self.tails or word in self.plain:
            return ()
        return next(
            (self.endings[word[-size:]] for size in range(_LONGEST, _SHORTEST - 1, -1) if word[-size:] in self.endings),
            (),
        )

    def has_topic(self, words: set[str]) -> bool:
        if not self.topical.isdisjoint(words):
            return True
        return any(word[-_SHORTEST:] in self.tails and len(word) > _LONG and self.built(word) for word in words)


@cache
def load() -> Lexicon:
    """The shipped words."""
    texts = {language: _text(f"{language}.toml") for language in (*LANGUAGES, EVERY)}
    entries: dict[str, list[Entry]] = {}
    endings: dict[str, list[Entry]] = {}
    common: dict[str, dict[str, float]] = {}
    plain: set[str] = set()
    for language, text in texts.items():
        parsed = tomllib.loads(text)
        plain.update(fold(word) for word in _words(parsed.get("plain", "")))
        for word in _words(parsed.get("common", "")):
            common.setdefault(fold(word), {})[language] = 1.0
        for name, listed in parsed.get("endings", {}).items():
            for word in _words(listed):
                endings.setdefault(fold(word), []).append(Entry((), name, language, ()))
        for name, listed in parsed.get("words", {}).items():
            for form in _words(listed):
                first, *rest = fold(form).split()
                written = accents(form.split()[0])
                entries.setdefault(first, []).append(Entry(tuple(rest), name, language, written))
    return Lexicon(
        {first: tuple(sorted(set(found), key=lambda e: (-len(e.rest), e))) for first, found in entries.items()},
        frozenset(first for first, found in entries.items() if any(entry.listed in TOPICAL for entry in found)),
        {ending: tuple(found) for ending, found in endings.items()},
        frozenset(ending[-_SHORTEST:] for ending in endings),
        frozenset(plain),
        {word: {name: 1 / len(found) for name in found} for word, found in common.items()},
        hashlib.sha256("\0".join(texts.values()).encode()).hexdigest(),
    )


def _text(name: str) -> str:
    return resources.files("gateway.detect").joinpath("topics", "data", name).read_text(encoding="utf-8")


def _words(listed: str) -> Iterator[str]:
    """Every form of every item of a list."""
    for item in listed.replace("\n", ",").split(","):
        if item.strip():
            yield from _forms(item.strip())


def _forms(written: str) -> Iterator[str]:
    """`asmatic(o|a)` is two words; a letter that some write with two is one more."""
    parts = [part.split("|") for part in re.split(r"[()]", written)]
    for chosen in product(*parts):
        form = "".join(chosen).lower()
        yield _spaced(form)
        if any(letter in form for letter in _WRITTEN_OUT):
            yield _spaced("".join(_WRITTEN_OUT.get(letter, letter) for letter in form))


def _spaced(form: str) -> str:
    """Words as a text is cut into them: "l'asma" is two."""
    return " ".join(re.findall(r"[^\W_]+", form))

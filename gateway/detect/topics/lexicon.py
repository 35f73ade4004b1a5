"""The words of every topic in five languages, read from `data/` and laid out for looking up one word after another."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from functools import cache, lru_cache
from importlib import resources
from itertools import product, repeat
from typing import NamedTuple, TypeAlias

from gateway.detect.gate import lowered

LANGUAGES = ("it", "es", "de", "fr", "en")
EVERY = "every"
WHOLE = 60
"""What a common word of one language says for it; a word of several divides it among them."""
SHIFTS = {language: 32 * place for place, language in enumerate((*LANGUAGES, EVERY))}
"""Where each language's part stands in a number that counts for all."""
_PART = (1 << 32) - 1
ENOUGH = WHOLE * 3 // 2
"""One and a half common words of one language before another is ruled out."""
SHARE = 34
"""A language with so many hundredths of the best one's words may be meant as well: texts are mixed."""
TOPICAL = frozenset(
    {"illness", "sign", "afflicted", "shouted", "religion", "politics", "union", "ethnicity", "orientation",
     "criminal_record", "child", "pupil", "salary", "debt", "counsel", "privilege", "litigation", "deal", "unreleased",
     "called", "title", "custody", "school_year", "finances", "mandate", "advice", "house_secret"}
)  # fmt: skip
"""Lists without a word of which a text has no topic; the others only say whose it is."""

NAMING = frozenset({"title", "called", "honour", "role"})
"""Lists that say something by themselves where a name follows."""
LAW = frozenset({"counsel", "advice", "litigation", "privilege"})
"""Lists that say something where two of them meet."""
WORTH = frozenset({"salary", "finances"})
"""Lists that say something where an amount stands."""
SOMEONE = ("someone", "kin", "child", "role", "pupil")
YEARS, OLD = frozenset({"years"}), frozenset({"aged", "old"})
"""Lists that make an age of a bare number, two together: a unit, a word that introduces it, a person."""
TELLING = TOPICAL | NAMING
"""Lists whose entries are what is told; the others tie them to somebody."""

_ACCENTS = dict(
    zip("àáâãäåçèéêëìíîïñòóôõöùúûüýÿßœæ’", "aaaaaaceeeeiiiinooooouuuuyysoa'", strict=True),
)
_WRITTEN_OUT = {"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "œ": "oe", "æ": "ae"}
_LONG, _LONGEST, _SHORTEST = 6, 18, 4
"""Letters of a word that may have an ending, and of the longest and shortest ending there is."""


def fold(text: str) -> str:
    """Lower case without accents, character for character: people leave both out."""
    folded = lowered(text)
    if not folded.isascii():  # few of a text's letters have accents: one `replace` each is faster than `translate`
        for letter in _ACCENTS.keys() & set(folded):
            folded = folded.replace(letter, _ACCENTS[letter])
    return folded


class Entry(NamedTuple):
    rest: tuple[str, ...]
    """The words after the first."""
    listed: str
    language: str
    accents: tuple[int, ...]
    """Where the first word has them. A text may leave them out, but it may not put them elsewhere: élève, élevé."""


def accents(word: str) -> tuple[int, ...]:
    return tuple(place for place, letter in enumerate(word) if not letter.isascii())


class Told(NamedTuple):
    """What begins with a word and decides whether there is anything to tell."""

    alone: frozenset[tuple[str, str]]
    """(list, language) of which the word is by itself, however it is written."""
    others: tuple[Entry, ...]
    """Entries that need more words, or capitals."""


Listed: TypeAlias = tuple[tuple[str, tuple[Entry, ...]], ...]
"""List → its entries that begin with a word, longest first."""


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Every entry by its first word."""

    entries: Mapping[str, Listed] = field(repr=False)
    """First word → what begins with it."""
    telling: Mapping[str, Told] = field(repr=False)
    """First word → what it may tell."""
    topical: frozenset[str] = field(repr=False)
    """First words of entries that are a topic."""
    endings: Mapping[str, Listed] = field(repr=False)
    """Ending of long words → its lists: medicine builds its words."""
    tails: frozenset[str] = field(repr=False)
    """The last letters of the endings."""
    plain: frozenset[str] = field(repr=False)
    """Words that only look as if medicine had built them."""
    common: Mapping[str, int] = field(repr=False)
    """Word that tells languages apart → what it says for each of them, in one number (see `tongues`)."""
    digest: str

    def built(self, word: str) -> Listed:
        """What a word's ending makes of it, where it is no entry itself."""
        if len(word) <= _LONG or word[-_SHORTEST:] not in self.tails or word in self.plain:
            return ()
        return next(
            (self.endings[word[-size:]] for size in range(_LONGEST, _SHORTEST - 1, -1) if word[-size:] in self.endings),
            (),
        )

    def look_up(self, words: Set[str]) -> Iterator[tuple[str, Listed]]:
        """Every word that may begin an entry, and of which lists."""
        for word in self.entries.keys() & words:
            yield word, self.entries[word]
        for word in self._long(words):
            if word not in self.entries and (built := self.built(word)):
                yield word, built

    def _long(self, words: Set[str]) -> list[str]:
        """The words that end as medicine's do."""
        tails = self.tails
        return [word for word in words if word[-_SHORTEST:] in tails]

    def may_tell(self, said: Sequence[str], words: set[str], text: str) -> set[str] | None:
        """Lists that a text may hold something of to tell; None where there is nothing to tell. It says None for most,
        and at little cost. `said` are its folded words, `words` the different ones."""
        built = {listed for word in self._long(words) for listed, _ in self.built(word)}
        if not built and self.topical.isdisjoint(words):
            return None
        spoken = possible(sum(map(self.common.get, said, repeat(0))))
        found = {listed for listed, language in self._found(words, text) if language in spoken} | built
        return found if built or self._counts(found, words, text) else None

    def _found(self, words: set[str], text: str) -> set[tuple[str, str]]:
        """(list, language) of every entry that may stand in the text."""
        found: set[tuple[str, str]] = set()
        for word in self.telling.keys() & words:
            told = self.telling[word]
            found |= told.alone
            for entry in told.others:
                if (not entry.rest or entry.rest[0] in words) and _said(word, entry, words, text):
                    found.add((entry.listed, entry.language))
        return found

    @staticmethod
    def _counts(found: set[str], words: set[str], text: str) -> bool:
        """Whether what is found suffices: some lists say nothing alone."""
        telling = found & TELLING
        if not telling.isdisjoint(WORTH) and not _DIGIT.search(text):
            telling -= WORTH
        if len(telling & LAW) == 1:
            telling -= LAW
        if telling:
            return True
        bare = sum(not found.isdisjoint(lists) for lists in (SOMEONE, YEARS, OLD)) > 1
        return any(years_of(word) < ADULT for word in words if word[0] <= "9" and (bare or not word.isdigit()))


def _said(word: str, entry: Entry, words: set[str], text: str) -> bool:
    return words.issuperset(entry.rest) and (entry.listed != "shouted" or _shouted(word, entry, text))


def _shouted(word: str, entry: Entry, text: str) -> bool:
    return bool(entry.accents) or word.upper() in text


def said_for(total: int) -> dict[str, int]:
    """What common words say for each language that add up to `total`."""
    return {language: total >> shift & _PART for language, shift in SHIFTS.items()}


@lru_cache(4096)
def possible(total: int) -> frozenset[str]:
    """The languages that a sentence of a text may be in, whose common words say `total`. Not those of which the whole
    text says less than rules a language out of one sentence."""
    said = said_for(total)
    known = max(said.values()) >= ENOUGH
    return frozenset(
        language for language in said if language == EVERY or not known or said[language] * 100 >= SHARE * ENOUGH
    )


ADULT = 18
_AGE = re.compile(r"(\d{1,3})(?:yo|y|enne|enni|jahrig\w{0,2}|jaehrig\w{0,2}|ans|anni|aa)?")
_OLDEST = 115
_DIGIT = re.compile(r"\d")


def years_of(word: str) -> int:
    """The years that a folded word says; more than anybody has where it says none."""
    match = _AGE.fullmatch(word)
    years = int(match[1]) if match else NOBODYS
    return years if years <= _OLDEST else NOBODYS


NOBODYS = 1000


@cache
def load() -> Lexicon:
    """The shipped words."""
    texts = {language: _text(f"{language}.toml") for language in (*LANGUAGES, EVERY)}
    entries: dict[str, list[Entry]] = {}
    endings: dict[str, list[Entry]] = {}
    common: dict[str, set[str]] = {}
    plain: set[str] = set()
    for language, text in texts.items():
        parsed = tomllib.loads(text)
        plain.update(fold(word) for word in _words(parsed.get("plain", "")))
        for word in _words(parsed.get("common", "")):
            common.setdefault(fold(word), set()).add(language)
        for name, listed in parsed.get("endings", {}).items():
            for word in _words(listed):
                endings.setdefault(fold(word), []).append(Entry((), name, language, ()))
        for name, listed in parsed.get("words", {}).items():
            for form in _words(listed):
                first, *rest = fold(form).split()
                written = accents(form.split()[0])
                entries.setdefault(first, []).append(Entry(tuple(rest), name, language, written))
    alike: dict[Told, Told] = {}
    in_order = {
        first: sorted(set(found), key=lambda entry: (-len(entry.rest), entry)) for first, found in entries.items()
    }
    return Lexicon(
        {first: _by_list(found) for first, found in in_order.items()},
        {first: told for first, found in in_order.items() if (told := _told(found, alike))},
        frozenset(first for first, found in entries.items() if any(entry.listed in TOPICAL for entry in found)),
        {ending: _by_list(found) for ending, found in endings.items()},
        frozenset(ending[-_SHORTEST:] for ending in endings),
        frozenset(plain),
        {word: sum(WHOLE // len(found) << SHIFTS[name] for name in found) for word, found in common.items()},
        hashlib.sha256("\0".join(texts.values()).encode()).hexdigest(),
    )


def _told(entries: Sequence[Entry], alike: dict[Told, Told]) -> Told | None:
    """`alike` keeps one of what many words tell alike."""
    counts = [entry for entry in entries if entry.listed in TELLING.union(SOMEONE, YEARS, OLD)]
    if not counts:
        return None
    alone = [entry for entry in counts if not entry.rest and entry.listed != "shouted"]
    told = Told(
        frozenset((entry.listed, entry.language) for entry in alone),
        tuple(entry for entry in counts if entry not in alone),
    )
    return alike.setdefault(told, told)


def _by_list(entries: Sequence[Entry]) -> Listed:
    found: dict[str, list[Entry]] = {}
    for entry in entries:
        found.setdefault(entry.listed, []).append(entry)
    return tuple((listed, tuple(begun)) for listed, begun in found.items())


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

"""Who a text speaks of: the words of every list in their places, and the people, ages and selves that tie them down."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass, field
from typing import NamedTuple

from gateway.detect.topics.lexicon import ADULT, NAMING, NOBODYS, OLD, SOMEONE, TELLING, YEARS, Lexicon, years_of
from gateway.detect.topics.spots import Spot, Spots
from gateway.detect.topics.tokens import Tokens

_REACH = 5
"""Words between "my" and "son", or between a person and an age."""
LABELS = re.compile(r"[ \t]*[:=]")
_ARTICLES = frozenset(
    {"the", "il", "lo", "la", "i", "gli", "le", "el", "los", "las", "der", "die", "das", "les", "a", "ein", "eine",
     "un", "una", "une"}
)  # fmt: skip


class Tie(NamedTuple):
    """A person the text means: kin, role ("the patient"), case (a person with an age), title, called ("I am called
    …"), full_name, name, or self ("I have")."""

    kind: str
    first: int
    last: int


class Age(NamedTuple):
    at: int
    years: int


@dataclass(slots=True)
class Scene:
    """One text, read once. Everything is looked up by sentence."""

    tokens: Tokens
    spots: Spots
    ties: dict[int, list[Tie]] = field(default_factory=dict)
    ages: dict[int, list[Age]] = field(default_factory=dict)

    def of(self, *names: str) -> Iterator[Spot]:
        for name in names:
            for spots in self.spots.of(name).values():
                yield from spots

    def here(self, sentence: int, *names: str) -> list[Spot]:
        return [spot for name in names for spot in self.spots.of(name).get(sentence, ())]

    def sentence(self, spot: Spot) -> int:
        return self.tokens.sentence[spot.first]

    def ties_in(self, sentence: int, *kinds: str) -> list[Tie]:
        return [tie for tie in self.ties.get(sentence, ()) if not kinds or tie.kind in kinds]

    def around(self, sentence: int, *kinds: str) -> bool:
        """Whether somebody is meant here, or in the two sentences before, or in the next."""
        return any(self.ties_in(sentence + step, *kinds) for step in (0, -1, -2, 1))

    def beside(self, spot: Spot, before: int, after: int, *names: str) -> Spot | None:
        """An entry of one of `names` in the same sentence, at most so many words before or after."""
        for other in self.here(self.sentence(spot), *names):
            if other != spot and spot.first - before <= other.last and other.first <= spot.last + after:
                return other
        return None

    def between(self, name: str, first: int, last: int) -> bool:
        """Whether an entry begins behind one word and not behind another of the same sentence."""
        return any(first < spot.first <= last for spot in self.here(self.tokens.sentence[last], name))

    def keep(self, kinds: Set[str]) -> None:
        """Ties of these kinds, and to whoever belongs to the one who asks; nobody else in this text is anybody."""
        self.ties = {
            at: kept for at, ties in self.ties.items() if (kept := [t for t in ties if self._real(at, t, kinds)])
        }

    def _real(self, sentence: int, tie: Tie, kinds: Set[str]) -> bool:
        if any(spot.first == tie.first for spot in self.here(sentence, "my", "our")):
            return True
        titled = tie.kind == "role" and any(spot.last == tie.last for spot in self.here(sentence, "title", "honour"))
        return tie.kind in kinds and not titled  # "il signor" is no role

    def add(self, tie: Tie) -> None:
        self.ties.setdefault(self.tokens.sentence[tie.first], []).append(tie)


def read(
    tokens: Tokens, words: set[str], lexicon: Lexicon, told: Set[str], names: Sequence[tuple[int, int]] = ()
) -> Scene | None:
    """None where nothing stands that could be told. `words` are the different ones of `tokens`, `told` the lists that
    may be told of them, `names` the offsets of people that another detector has seen."""
    scene = Scene(tokens, Spots(tokens, words, lexicon))
    for age in _ages(scene, words):
        scene.ages.setdefault(tokens.sentence[age.at], []).append(age)
    if not _tells(scene, told):
        return None
    for tie in (*_relations(scene), *_aged(scene), *_born(scene), *_named(scene), *_selves(scene)):
        scene.add(tie)
    for start, end in names:
        first, last = tokens.number(start), tokens.number(end - 1)
        if first <= last:
            scene.add(Tie("full_name" if last > first else "name", first, last))
    return scene


def _tells(scene: Scene, told: Set[str]) -> bool:
    """Whether there is an entry that may be told, a child's age, or a name behind a word that introduces one."""
    if any(scene.spots.of(listed) for listed in told & (TELLING - NAMING)):
        return True
    if any(age.years < ADULT for ages in scene.ages.values() for age in ages):
        return True
    tokens = scene.tokens
    return any(spot.last + 1 < len(tokens) and tokens.capital(spot.last + 1) for spot in scene.of(*(told & NAMING)))


def _ages(scene: Scene, words: set[str]) -> Iterator[Age]:
    """Numbers that are somebody's age rather than a span of time."""
    tokens = scene.tokens
    numbers = {word: years for word in words if word[0] <= "9" and (years := years_of(word)) < NOBODYS}
    if not numbers:
        return
    told_in = _aged_in(scene.spots)
    for index, word in enumerate(tokens.words):
        if word not in numbers or (word.isdigit() and tokens.sentence[index] not in told_in):
            continue
        spot, glued = Spot(index, index), not word.isdigit()
        unit = glued or scene.beside(spot, -1, 1, "years")
        person = scene.beside(spot, _REACH, 4, *SOMEONE)
        told = scene.beside(spot, 1, -1, "aged") or scene.beside(spot, -1, 2, "old")
        alone = glued and not word.endswith(("ans", "anni", "aa"))
        if alone or (unit and (told or person)) or (told and person):
            yield Age(index, numbers[word])


def _aged_in(spots: Spots) -> set[int]:
    """Sentences where a bare number may be an age: two of a unit, a word that introduces it and a person are there."""
    if sum(map(spots.may_hold, (YEARS, OLD, SOMEONE))) < 2:
        return set()
    unit = {at for name in YEARS for at in spots.of(name)}
    told = {at for name in OLD for at in spots.of(name)}
    return (unit & told) | {at for name in SOMEONE for at in spots.of(name) if at in unit or at in told}


def _relations(scene: Scene) -> Iterator[Tie]:
    """ "My son", "the patient", "our client", "Patient Max": one person, not people in general."""
    for name in ("kin", "child", "role", "pupil"):
        family = name in {"kin", "child"}
        for spot in scene.of(name):
            owner = scene.beside(spot, _REACH, -1, "my", "our")
            if owner is not None:
                yield Tie("kin" if family else "role", owner.first, spot.last)
            elif not family and (scene.beside(spot, 2, -1, "the") or _introduced(scene.tokens, spot)):
                yield Tie("role", spot.first, spot.last)


def _introduced(tokens: Tokens, spot: Spot) -> bool:
    """Whether a name, or a form's answer, follows: "Patient: …", "Kunde Meier"."""
    after = spot.last + 1
    gap = tokens.between(spot.last)
    if LABELS.match(gap):
        return True
    return after < len(tokens) and gap == " " and tokens.capital(after) and tokens.words[after] not in _ARTICLES


def _aged(scene: Scene) -> Iterator[Tie]:
    """A person with an age; an age in a form of its own is a person as well."""
    for ages in scene.ages.values():
        for age in ages:
            spot = Spot(age.at, age.at)
            near = scene.beside(spot, _REACH + 1, _REACH, *SOMEONE)
            if near:
                yield Tie("case", min(near.first, age.at), max(near.last, age.at))
            elif scene.beside(spot, 2, 2, "old") or not scene.tokens.words[age.at].isdigit():
                yield Tie("case", age.at, age.at)


def _born(scene: Scene) -> Iterator[Tie]:
    """Whoever has a date of birth is somebody."""
    words = scene.tokens.words
    for spot in scene.of("born"):
        if any(word[0].isdigit() for word in words[spot.last + 1 : spot.last + 6]):
            yield Tie("case", spot.first, spot.last)


def _named(scene: Scene) -> Iterator[Tie]:
    """ "Frau Meier", "sono Anna Verdi", "Anna Verdi"."""
    tokens = scene.tokens
    for kind, least in (("title", 1), ("called", 1), ("honour", 2)):
        for spot in scene.of(kind):
            last = spot.last
            while last - spot.last < 4 and _goes_on(tokens, last):
                last += 1
            if last - spot.last >= least:
                yield Tie("called" if kind == "called" else "title", spot.last + 1, last)
    for spot in scene.of("first_name"):
        if tokens.capital(spot.first) and _goes_on(tokens, spot.last):
            yield Tie("full_name", spot.first, spot.last + 1)


def _goes_on(tokens: Tokens, index: int) -> bool:
    """Whether the next word is another part of a name."""
    after = index + 1
    if after >= len(tokens) or tokens.sentence[after] != tokens.sentence[index]:
        return False
    if not tokens.capital(after) or tokens.words[after] in _ARTICLES:
        return False
    return tokens.between(index).strip(" .-:'") == ""


def _selves(scene: Scene) -> Iterator[Tie]:
    for spot in scene.of("i_have"):
        yield Tie("self", spot.first, spot.last)

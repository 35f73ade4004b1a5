"""What is said of somebody beside health: belief, union, origin, orientation, convictions, and children."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.detect.topics.health import Fact
from gateway.detect.topics.lexicon import ADULT
from gateway.detect.topics.scene import Age, Scene
from gateway.detect.topics.spots import Spot

SPECIAL = ("religion", "politics", "union", "ethnicity", "orientation", "criminal_record")
_MEANT = ("kin", "role", "title", "called", "full_name")
_PEOPLE = (*_MEANT, "case", "name")
_FAR = 15
_CLOSE = 7


def special(scene: Scene) -> Iterator[Fact]:
    """Words of article 9 and 10 near a person, or near "I am"."""
    for kind in SPECIAL:
        for spot in scene.of(kind):
            confidence = _said_of_someone(scene, spot)
            if confidence:
                yield Fact(kind, "special", spot.first, spot.last, confidence)


def _said_of_someone(scene: Scene, spot: Spot) -> float:
    here = scene.sentence(spot)
    if any(abs(spot.first - tie.last) <= _FAR for tie in scene.ties_in(here, *_PEOPLE)):
        return 0.85
    self = scene.beside(spot, _CLOSE, 0, "i_have", "i_am", "my")
    if self is not None and not scene.between("about", self.last, spot.first):
        return 0.85
    if scene.beside(spot, 5, 3, "third") and scene.beside(spot, 4, 3, "is"):
        return 0.7
    return 0.7 if any(scene.ties_in(here - back, *_MEANT) for back in (1, 2)) else 0.0


def minors(scene: Scene) -> Iterator[Fact]:
    """A child that belongs to somebody, or a pupil, with an age below eighteen or a school."""
    yield from _children(scene)
    for ages in scene.ages.values():
        for age in ages:
            if age.years < ADULT and _child_at(scene, age):
                yield Fact("minor", "minor", age.at, age.at, 0.75)
    for spot in scene.of("custody", "school_year"):
        here = scene.sentence(spot)
        young = any(age.years < ADULT for age in scene.ages.get(here, ()))
        if young or scene.around(here, "kin", "full_name", "called"):
            yield Fact("minor", "minor", spot.first, spot.last, 0.7)


def _children(scene: Scene) -> Iterator[Fact]:
    for spot in scene.of("child", "pupil"):
        here = scene.sentence(spot)
        mine = scene.beside(spot, 5, -1, "my", "our") is not None
        meant = any(tie.first <= spot.first <= tie.last for tie in scene.ties_in(here, "kin", "role"))
        named = scene.ties_in(here, "full_name", "called")
        young = _young(scene, spot)
        if (young and (meant or named)) or (mine and _at_school(scene, spot)):
            yield Fact("minor", "minor", spot.first, spot.last, 0.85)
        elif (named or meant) and spot in scene.here(here, "pupil") and _at_school(scene, spot):
            yield Fact("minor", "minor", spot.first, spot.last, 0.75)


def _child_at(scene: Scene, age: Age) -> bool:
    """Whether an age is that of somebody who is named in full, is at school or is ill."""
    here = scene.tokens.sentence[age.at]
    return bool(
        scene.ties_in(here, "full_name", "called")
        or (scene.ties_in(here, "kin", "role", "case") and (_ill(scene, here) or scene.here(here, "school", "custody")))
    )


def _ill(scene: Scene, sentence: int) -> bool:
    return bool(scene.here(sentence, "illness", "afflicted", "shouted", "sign"))


def _at_school(scene: Scene, spot: Spot) -> bool:
    return scene.beside(spot, 12, 15, "school", "school_year", "custody") is not None


def _young(scene: Scene, spot: Spot) -> bool:
    ages = scene.ages.get(scene.sentence(spot), ())
    return any(age.years < ADULT for age in ages if -7 <= age.at - spot.last <= 7)


def names(scene: Scene) -> Iterator[Fact]:
    """People called by their names: "Frau Meier", "il paziente Anna Verdi", "my name is Anna Verdi"."""
    tokens = scene.tokens
    for ties in scene.ties.values():
        for tie in ties:
            if tie.kind in {"title", "called"}:
                yield Fact("person", "person", tie.first, tie.last, 0.85)
    for spot in scene.of("role", "pupil"):
        last = spot.last
        while (
            last - spot.last < 4
            and last + 1 < len(tokens)
            and tokens.between(last) in {" ", ": ", "-"}
            and (tokens.capital(last + 1) and tokens.sentence[last + 1] == tokens.sentence[last])
        ):
            last += 1
        if last - spot.last > 1:
            yield Fact("person", "person", spot.last + 1, last, 0.75)

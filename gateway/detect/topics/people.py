"""What is said of somebody beside health: belief, union, origin, orientation, convictions, and children."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.detect.topics.health import Fact
from gateway.detect.topics.scene import Age, Scene, Spot

SPECIAL = ("religion", "politics", "union", "ethnicity", "orientation", "criminal_record")
_PEOPLE = ("kin", "role", "case", "title", "called", "name")
_FAR = 15
_CLOSE = 7
ADULT = 18


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
    third = scene.beside(spot, 5, 3, "third")
    return 0.7 if third is not None and scene.beside(spot, 4, 3, "is") else 0.0


def minors(scene: Scene) -> Iterator[Fact]:
    """A child that belongs to somebody, or a pupil, with an age below eighteen or a school."""
    for spot in scene.of("child", "pupil"):
        mine = scene.beside(spot, 5, -1, "my", "our") is not None
        meant = any(tie.first <= spot.first <= tie.last for tie in scene.ties_in(scene.sentence(spot), "kin", "role"))
        if (meant and _young(scene, spot)) or (mine and scene.beside(spot, 12, 15, "school")):
            yield Fact("minor", "minor", spot.first, spot.last, 0.85)
    for spot in scene.of("custody"):
        if any(age.years < ADULT for age in scene.ages.get(scene.sentence(spot), ())):
            yield Fact("minor", "minor", spot.first, spot.last, 0.75)


def _young(scene: Scene, spot: Spot) -> Age | None:
    ages = [age for age in scene.ages.get(scene.sentence(spot), ()) if -7 <= age.at - spot.last <= 7]
    return next((age for age in ages if age.years < ADULT), None)


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

"""Health of a person: an illness, a medicine or a treatment that the text ties to somebody."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from gateway.detect.topics.scene import LABELS, Scene
from gateway.detect.topics.spots import Spot

_ILL = ("illness", "afflicted", "shouted")
_MEANT = ("kin", "role", "case", "title", "called", "full_name")
_AFTER_SELF = 9
"""Words after "I have" in which an illness is meant."""
_AFTER_NAME = 15
_REPORT = 8
"""Different words of medicine that make a report of a text in which a person stands."""


class Fact(NamedTuple):
    kind: str
    category: str
    first: int
    last: int
    confidence: float


def health(scene: Scene) -> Iterator[Fact]:
    """Every word of medicine that says something of somebody."""
    told = _report(scene)
    for sentence in sorted({at for name in (*_ILL, "sign") for at in scene.spots.of(name)}):
        ills = [(spot, 2) for spot in scene.here(sentence, *_ILL)]
        ills += [(spot, 1) for spot in scene.here(sentence, "sign")]
        weights = {scene.tokens.words[spot.first]: weight for spot, weight in ills}
        for spot, weight in ills:
            confidence = _sure(scene, spot, weight, sum(weights.values())) or (0.8 if told else 0.0)
            if confidence:
                yield Fact("health_fact", "health", spot.first, spot.last, confidence)


def _sure(scene: Scene, spot: Spot, weight: int, total: int) -> float:
    """How sure it is that a word speaks of a person, `total` being what the words of its sentence weigh."""
    here = scene.sentence(spot)
    if _own(scene, spot):
        return 0.9
    for tie in scene.ties_in(here):
        if tie.kind in {"kin", "case", "title"} or (tie.kind in {"role", "called"} and total > 1):
            return 0.9
        if tie.kind == "full_name" and abs(spot.first - tie.last) <= _AFTER_NAME and total > 1:
            return 0.8
        if tie.kind == "name" and abs(spot.first - tie.last) <= _AFTER_NAME and total > 1 and _claimed(scene, spot):
            return 0.75
    if total > 1 and any(scene.ties_in(here - back, *_MEANT) for back in (1, 2)):
        return 0.75
    if weight > 1 and scene.beside(spot, 8, 4, "third") and scene.beside(spot, 6, 2, "suffers"):
        return 0.75
    return 0.7 if weight > 1 and _answered(scene, spot) else 0.0


def _own(scene: Scene, spot: Spot) -> bool:
    """ "I have asthma", "my asthma"; not "I have a question about asthma"."""
    here = scene.sentence(spot)
    for tie in scene.ties_in(here, "self"):
        if 0 <= spot.first - tie.first <= _AFTER_SELF + tie.last - tie.first and not _distant(scene, tie.last, spot):
            return True
    if spot in scene.here(here, "afflicted") and scene.beside(spot, 4, -1, "i_am"):
        return True
    mine = [other for other in scene.here(here, "my") if 0 < spot.first - other.last <= 3]
    loose = spot in scene.here(here, "sign")
    return any(
        not _distant(scene, other.last, spot)
        and not (loose and scene.between("is", other.last, spot.first))  # "my build is sick"
        for other in mine
    )


def _distant(scene: Scene, after: int, spot: Spot) -> bool:
    return scene.between("about", after, spot.first)


def _claimed(scene: Scene, spot: Spot) -> bool:
    return scene.beside(spot, 12, 6, "claim", "suffers") is not None


def _answered(scene: Scene, spot: Spot) -> bool:
    """A field of a form: "Diagnosis: asthma"."""
    return any(
        0 < spot.first - label.last <= 3 and LABELS.match(scene.tokens.between(label.last))
        for label in scene.here(scene.sentence(spot), "form")
    )


def _report(scene: Scene) -> bool:
    """Whether the whole text is about one patient: a person stands in it, and medicine all over it."""
    if not any(tie.kind in {"case", "kin", "role"} for ties in scene.ties.values() for tie in ties):
        return False
    return len({scene.tokens.words[spot.first] for spot in scene.of(*_ILL, "sign", "clinical")}) >= _REPORT

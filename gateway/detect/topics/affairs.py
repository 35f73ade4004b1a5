"""Money of a person, cases of a client, plans of the house."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.detect.topics.health import Fact
from gateway.detect.topics.scene import Scene
from gateway.detect.topics.spots import Spot

_MONEY = re.compile(
    r"(?i)(?:[€$£]|\b(?:eur|usd|chf|gbp)\b)[ ]?\d|\d[\d.,' ]{0,14}[ ]?(?:[€$£]|(?:k|mila|mil|tsd|eur|usd|chf|gbp|"
    r"euros?|dollars?|pounds|sterline|franken|francs|mille)\b)"
)
_PEOPLE = ("kin", "role", "title", "called", "full_name")
_NEAR = 60
"""Characters between a word about money and an amount."""


def money(scene: Scene) -> Iterator[Fact]:
    """Salary, debt and means of a person: mine, or somebody's who is meant."""
    for kind in ("salary", "debt", "finances"):
        for spot in scene.of(kind):
            mine = scene.beside(spot, 3, -1, "my") or scene.beside(spot, 8, 3, "i_have", "i_am", "i_owe")
            if kind != "debt" and not _amount(scene, spot):
                continue
            if mine is not None and not scene.between("about", mine.last, spot.first):
                yield Fact(kind, "financial", spot.first, spot.last, 0.85)
            elif scene.around(scene.sentence(spot), *_PEOPLE):
                yield Fact(kind, "financial", spot.first, spot.last, 0.75)


def _amount(scene: Scene, spot: Spot) -> bool:
    tokens = scene.tokens
    start, end = tokens.start(spot.first), tokens.end(spot.last)
    return _MONEY.search(tokens.folded, max(0, start - _NEAR), end + _NEAR) is not None


def law(scene: Scene) -> Iterator[Fact]:
    """What a lawyer's client has said, what is planned for a case, what stands under privilege."""
    words = {scene.tokens.words[spot.first] for spot in scene.of("litigation")}
    for spot in scene.of("counsel"):
        if words or any(True for _ in scene.of("privilege", "advice")):
            yield Fact("legal_privilege", "legal", spot.first, spot.last, 0.85)
    for spot in scene.of("mandate"):
        yield Fact("legal_privilege", "legal", spot.first, spot.last, 0.85)
    for spot in scene.of("advice"):
        owner = scene.beside(spot, 3, 2, "our", "my", "we", "i_have")
        disputed = scene.beside(spot, 25, 25, "litigation") or len(words) > 1
        if owner is not None and disputed and not scene.between("about", owner.last, spot.first):
            yield Fact("legal_privilege", "legal", spot.first, spot.last, 0.75)
    for spot in scene.of("litigation"):
        ours = scene.beside(spot, 4, 3, "our", "we", "my", "i_have")
        if ours is not None and scene.beside(spot, 15, 15, "advice"):
            yield Fact("legal_privilege", "legal", spot.first, spot.last, 0.75)
    for spot in scene.of("privilege"):
        if len(words) > 1 and scene.around(scene.sentence(spot), "title", "called", "full_name", "role"):
            yield Fact("legal_privilege", "legal", spot.first, spot.last, 0.75)


def house(scene: Scene) -> Iterator[Fact]:
    """Deals, closures and results of the house that nobody knows yet."""
    for spot in scene.of("deal"):
        ours = scene.beside(spot, 8, 6, "we", "our")
        if (
            ours is not None
            and not scene.between("about", ours.last, spot.first)
            and (scene.beside(spot, 8, 12, "firm", "unreleased") or _amount(scene, spot))
        ):
            yield Fact("merger", "confidential", spot.first, spot.last, 0.75)
    for spot in scene.of("unreleased"):
        if scene.beside(spot, 15, 15, "figures", "deal") and scene.beside(spot, 20, 20, "we", "our", "firm"):
            yield Fact("merger", "confidential", spot.first, spot.last, 0.7)
    for spot in scene.of("house_secret"):
        if scene.beside(spot, 6, 6, "we", "our"):
            yield Fact("trade_secret", "confidential", spot.first, spot.last, 0.7)

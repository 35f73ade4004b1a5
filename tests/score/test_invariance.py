"""The same request under another name, gender or language gets the same route, within the tolerances stated here."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from gateway.score.formula import THRESHOLD
from gateway.score.scorer import EnsembleScorer

SWAPS = yaml.safe_load(Path(__file__).with_name("swaps.yaml").read_text(encoding="utf-8"))
WHO = 0.05
"""Most that a name or a gender may move a gain. Stated in docs/scoring.md, like the next two."""
LANGUAGE = 0.1
"""Most that a language may."""
FLIPPED = 0.02
"""Share of swaps that may end on the other side of the threshold."""
NAMED = [
    pytest.param([template.format(name=name) for name in SWAPS["names"][language]], id=f"{language}-{place}")
    for language, templates in SWAPS["templates"].items()
    for place, template in enumerate(templates)
]
GENDERED = [
    pytest.param(pair, id=f"{language}-{place}")
    for language, pairs in SWAPS["pairs"].items()
    for place, pair in enumerate(pairs)
]
SPOKEN = [
    pytest.param([templates[place].format(name="Wei Chen") for templates in SWAPS["templates"].values()], id=str(place))
    for place in range(len(SWAPS["templates"]["en"]))
]


def gains(scorer: EnsembleScorer, asks: list[str]) -> list[float]:
    scores = [scorer.score_text(ask).gain for ask in asks]
    return [gain for gain in scores if gain is not None]


@pytest.mark.parametrize("asks", [*NAMED, *GENDERED])
def test_names_and_genders_hardly_move_a_gain(scorer: EnsembleScorer, asks: list[str]) -> None:
    found = gains(scorer, asks)
    assert len(found) == len(asks)
    assert max(found) - min(found) <= WHO


@pytest.mark.parametrize("asks", SPOKEN)
def test_a_translation_hardly_moves_a_gain(scorer: EnsembleScorer, asks: list[str]) -> None:
    found = gains(scorer, asks)
    assert len(found) == 5
    assert max(found) - min(found) <= LANGUAGE


def test_nearly_every_swap_keeps_its_route(scorer: EnsembleScorer) -> None:
    groups: list[list[str]] = [each.values[0] for each in (*NAMED, *GENDERED, *SPOKEN)]  # type: ignore[misc]
    sides = [[gain >= THRESHOLD for gain in gains(scorer, asks)] for asks in groups]
    swaps = sum(len(group) - 1 for group in sides)
    flipped = sum(min(group.count(True), group.count(False)) for group in sides)
    assert swaps >= 400
    assert flipped <= FLIPPED * swaps
    assert {True, False} == {side for group in sides for side in group}

"""How well the local model did, by task family and language, with what few probes can and cannot say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gateway.core.share import wilson
from gateway.score.calibration import Cell

STRENGTH = 4.0
"""Probes that the family and the language together are worth when a cell has few of its own."""


def competence(answers: Iterable[tuple[str, str, float]]) -> dict[str, dict[str, Cell]]:
    """family → language → Cell, from (family, language, how right: 0 … 1) of each answer."""
    counted: dict[tuple[str, str], tuple[float, int]] = {}
    for family, language, right in answers:
        good, of = counted.get((family, language), (0.0, 0))
        counted[family, language] = (good + right, of + 1)
    expected = _expected(counted)
    told: dict[str, dict[str, Cell]] = {}
    for (family, language), (good, of) in sorted(counted.items()):
        share = (good + STRENGTH * expected[family, language]) / (of + STRENGTH)
        low, high = wilson(good, of)
        told.setdefault(family, {})[language] = Cell(round(share, 4), of, round(low, 4), round(high, 4))
    return told


def _expected(counted: Mapping[tuple[str, str], tuple[float, int]]) -> dict[tuple[str, str], float]:
    """What the family's share and the language's share suggest, as odds: good at maths and bad in German multiply."""
    whole = _share(counted.values(), 0.5)
    families = {family: _share((pair for (of, _), pair in counted.items() if of == family), whole)
                for family, _ in counted}  # fmt: skip
    languages = {lang: _share((pair for (_, of), pair in counted.items() if of == lang), whole) for _, lang in counted}
    chances = {}
    for family, language in counted:
        odds = _odds(families[family]) * _odds(languages[language]) / _odds(whole)
        chances[family, language] = odds / (1 + odds)
    return chances


def _share(pairs: Iterable[tuple[float, int]], usual: float) -> float:
    """Drawn towards the usual by one answer, so that nothing is certain."""
    good, of = 0.0, 0
    for right, asked in pairs:
        good, of = good + right, of + asked
    return (good + usual) / (of + 1)


def _odds(share: float) -> float:
    return share / (1 - share)

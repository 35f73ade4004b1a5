"""How well the local model did, by task family and language, with what few probes can and cannot say."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from gateway.core.share import wilson
from gateway.score.calibration import Cell

STRENGTH = 4.0
"""Probes that the family and the language together are worth when a cell has few of its own."""


class Answered(NamedTuple):
    """One answer of the local model's."""

    family: str
    language: str
    right: float
    """0 … 1."""
    weight: float = 1.0
    """How many answers it counts for."""


class Shadowed(NamedTuple):
    """A request of the operator's own that both models answered."""

    tenant: str
    """By pseudonym; empty where nobody knows."""
    family: str
    language: str
    agreement: float


def weighed(shadowed: Sequence[Shadowed], answers: Sequence[Answered]) -> Iterator[Answered]:
    """What was measured on the operator's own requests, beside the `answers` to probes.

    The floor is one for all tenants. So where several were measured none counts in a family and language for more than
    the probes and all other tenants there together, or for STRENGTH answers where these are fewer: who asks the same
    easy thing a thousand times has not shown that the model is good at what others ask. A tenant that is alone speaks
    for itself.
    """
    asked = Counter((each.family, each.language) for each in answers)
    asked.update((each.family, each.language) for each in shadowed)
    of = Counter((each.tenant, each.family, each.language) for each in shadowed)
    alone = len({each.tenant for each in shadowed}) < 2
    for tenant, family, language, agreement in shadowed:
        mine = of[tenant, family, language]
        most = mine if alone else max(STRENGTH, asked[family, language] - mine)
        yield Answered(family, language, agreement, min(1.0, most / mine))


def competence(answers: Iterable[Answered]) -> dict[str, dict[str, Cell]]:
    """By family, then by language."""
    counted: defaultdict[tuple[str, str], tuple[float, float]] = defaultdict(lambda: (0.0, 0.0))
    for family, language, right, weight in answers:
        good, of = counted[family, language]
        counted[family, language] = (good + weight * right, of + weight)
    expected = _expected(counted)
    told: dict[str, dict[str, Cell]] = {}
    for (family, language), (good, of) in sorted(counted.items()):
        share = (good + STRENGTH * expected[family, language]) / (of + STRENGTH)
        low, high = wilson(good, of)
        told.setdefault(family, {})[language] = Cell(round(share, 4), round(of), round(low, 4), round(high, 4))
    return told


def _expected(counted: Mapping[tuple[str, str], tuple[float, float]]) -> dict[tuple[str, str], float]:
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


def _share(pairs: Iterable[tuple[float, float]], usual: float) -> float:
    """Drawn towards the usual by one answer, so that nothing is certain."""
    good, of = 0.0, 0.0
    for right, asked in pairs:
        good, of = good + right, of + asked
    return (good + usual) / (of + 1)


def _odds(share: float) -> float:
    return share / (1 - share)

"""The ensemble in the scorer: what it may change, and that the formula goes on without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

import numpy as np
import pytest

from gateway.core.scoring import FAMILIES
from gateway.core.types import Request
from gateway.score.ask import ask_of
from gateway.score.calibration import Calibration, Cell, Correction, Figures, Pins, extended
from gateway.score.easy import SHARES
from gateway.score.ensemble import LENGTH, Ensemble, ensemble, tilted, vector
from gateway.score.features import NAMES, read
from gateway.score.formula import CEILING, THRESHOLD
from gateway.score.heads import Smooth
from gateway.score.lexicon import lexicon
from gateway.score.router import Router
from gateway.score.scorer import MOST_SURE_ALONE, EnsembleScorer
from gateway.score.shipped import packed, shipped, unpacked
from gateway.score.weights import Damaged

pytestmark = pytest.mark.anyio
HARD = "Prove that there are infinitely many primes and explain every step"
FEW = ["Hello", HARD, "What is the capital of France?", "Écris une nouvelle sur un phare", "🙂", "a" * 100_000]


def damaged(meanings: bool) -> Ensemble:
    raise Damaged("ensemble.npz: its SHA-256 is 0 and should be 1")


def nan(meanings: bool) -> Ensemble:
    """Weights that turned into no number after they were read."""
    router = shipped(meanings=False)
    head = router.heads["static"]
    assert isinstance(head, Smooth)
    return Ensemble(
        Router({**router.heads, "static": replace(head, weights=head.weights * np.nan)}, router.usual, router.formula)
    )


@pytest.mark.parametrize("broken", [damaged, nan])
async def test_without_weights_the_formula_scores_and_is_not_sure(
    request_of: Callable[..., Request], broken: Callable[[bool], Ensemble]
) -> None:
    scorer = EnsembleScorer(ensemble=broken)
    for ask in FEW:
        score = await scorer.score(request_of(ask))
        assert score.gain is not None
        assert score.confidence <= MOST_SURE_ALONE
    assert ((await scorer.score(request_of(HARD))).gain or 0) >= THRESHOLD
    assert ((await scorer.score(request_of("Hello"))).gain or 1) < 0.5


def test_damaged_weights_are_named_where_a_score_is_explained(request_of: Callable[..., Request]) -> None:
    told = EnsembleScorer(ensemble=damaged).explain(request_of(HARD))["ensemble"]
    assert "SHA-256" in told["problem"]
    assert "heads" not in told


@pytest.mark.parametrize("z", [-50.0, -1.0, 0.0, 0.7, 50.0])
def test_the_tilt_is_bounded_and_never_makes_the_local_model_look_better(z: float) -> None:
    for local, remote in ((0.9, 0.95), (0.5, 0.6), (0.02, 0.6), (0.0, 0.0), (1.0, 1.0)):
        here, outside = tilted(local, remote, z)
        assert 0 <= here <= local + 1e-6
        assert 0 <= outside <= CEILING
        assert here >= local * 0.4
        assert outside >= min(remote, CEILING) * 0.3


@pytest.mark.parametrize("z", [-50.0, -1.0, 0.0, 0.7, 50.0])
@pytest.mark.parametrize(("local", "remote"), [(0.02, 0.45), (0.1, 0.6), (0.3, 0.95), (0.0, 0.95)])
def test_what_is_beyond_a_tiny_model_stays_beyond_it_whatever_the_ensemble_says(
    local: float, remote: float, z: float
) -> None:
    here, outside = tilted(local, remote, z)
    assert (outside - here + 1) / 2 > THRESHOLD


def test_what_the_formula_takes_for_easy_keeps_its_chances_where_the_ensemble_has_no_opinion() -> None:
    assert tilted(0.9, 0.95, 0.0) == pytest.approx((0.9, 0.95))
    assert tilted(0.75, 0.9, 0.0) == pytest.approx((0.75, 0.9))


def test_among_asks_beyond_a_tiny_model_the_ensemble_orders() -> None:
    """The formula puts the first of the two far lower: it believes that the remote model fails as well."""
    gains = [outside - here for here, outside in (tilted(0.05, 0.5, 0.6), tilted(0.02, 0.95, -0.2))]
    assert gains[0] > gains[1]
    far, further = (outside - here for here, outside in (tilted(0.02, 0.6, z) for z in (2.0, 3.0)))
    assert further > far


def test_what_gains_more_elsewhere_gains_more_here() -> None:
    gains = [outside - here for here, outside in (tilted(0.4, 0.7, z) for z in (-1.5, -0.5, 0, 0.5, 1.5))]
    assert gains == sorted(gains)
    assert gains[0] < gains[-1]


def test_a_vector_is_the_features_the_place_and_what_the_ensemble_says() -> None:
    ask = ask_of(HARD)
    reading = read(ask, lexicon())
    found = vector(ask)
    assert len(found) == LENGTH
    assert tuple(found[: len(NAMES)]) == reading.values
    assert found[-1] == ensemble().fast(ask, reading).z


def test_a_score_names_both_chances_and_the_family(request_of: Callable[..., Request]) -> None:
    scorer = EnsembleScorer()
    for ask in FEW:
        score = scorer.score_text(ask)
        assert score.gain == pytest.approx(((score.remote or 0) - (score.local or 0) + 1) / 2, abs=1e-3)
        assert score.family in FAMILIES
        assert score.competence is None


def test_an_easy_intent_has_its_share_at_least() -> None:
    said = EnsembleScorer().score_text("Good morning!")
    assert (said.local or 0) >= SHARES["greeting"]


def calibration(cells: dict[str, dict[str, Cell]], shift: float) -> Calibration:
    count = len(extended([0.0] * LENGTH, None, "other"))
    return Calibration(
        pins=Pins("m", "q", "t", "s"),
        against="large",
        made_at="2026-01-01",
        local=Correction(bias=shift, weights=(0.0,) * count),
        remote=Correction(weights=(0.0,) * count),
        competence=MappingProxyType(cells),
        quantiles=MappingProxyType({}),
        figures=Figures(200, 0.6, 0.55, 0.65, 0.5, 0.4, 0.8, 1.0),
    )


def test_a_calibration_has_the_last_word_and_is_named() -> None:
    alone = EnsembleScorer().score_text(HARD)
    cells = {alone.family: {"en": Cell(0.25, 12, 0.1, 0.5)}}
    with_it = calibration(cells, shift=0.3)
    score = EnsembleScorer(calibration=with_it).score_text(HARD)
    assert score.local == pytest.approx((alone.local or 0) + 0.3, abs=1e-3)
    assert score.competence == 0.25
    assert score.scorer == f"{alone.scorer}+{with_it.digest}"
    greeting = EnsembleScorer(calibration=calibration({}, shift=-1.0)).score_text("Good morning!")
    assert greeting.local == 0  # what was measured counts more than what an easy intent suggests


def test_what_ships_says_what_was_packed() -> None:
    router = shipped(meanings=True)
    again, few = unpacked(packed(router)), ["Hello", HARD, "Combien de pommes reste-t-il ?"]
    fast = [name for name in router.heads if name in {"length", "lexical", "words", "static", "line"}]
    one, other = (
        Router({name: each.heads[name] for name in fast}, each.usual, each.formula) for each in (router, again)
    )
    assert one.gain(few) == pytest.approx(other.gain(few), abs=0.02)
    assert set(again.heads) == set(router.heads)
    assert set(unpacked(packed(router), meanings=False).heads) == set(fast)


def test_every_head_tells_its_part(request_of: Callable[..., Request]) -> None:
    told = EnsembleScorer().explain(request_of(HARD))["ensemble"]
    assert set(told["heads"]) == {"length", "lexical", "words", "static", "line"}
    assert told["encoder"] == "off"
    assert told["calibration"] is None

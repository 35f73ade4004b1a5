"""A router fitted to a few rows: it learns which side gains, and says what each head says."""

from __future__ import annotations

import pytest

from gateway.score.train import fit_router

HARD = [
    f"Prove that the sum of {n} odd squares is never a multiple of {n + 3} and justify each step" for n in range(30)
]
EASY = [f"Say hello to my {n} friends" for n in range(30)]


def test_a_fitted_router_puts_what_gains_above_what_does_not() -> None:
    router = fit_router(HARD + EASY, [0.0] * 30 + [1.0] * 30, [1.0] * 60, encoder=False)
    hard, easy = router.gain(["Prove that 7 is prime and justify each step", "Say hello to my neighbour"])
    assert hard > easy


def test_every_head_says_its_own_z_score_for_every_text() -> None:
    router = fit_router(HARD + EASY, [0.0] * 30 + [1.0] * 30, [1.0] * 60, encoder=False, heads=["length", "lexical"])
    parts = router.parts(HARD + EASY)
    assert set(parts) == {"length", "lexical"}
    assert all(len(said) == 60 for said in parts.values())
    assert sum(parts["lexical"]) == pytest.approx(0, abs=1e-6)


def test_a_head_nobody_knows_is_refused() -> None:
    with pytest.raises(ValueError, match="astrology"):
        fit_router(HARD, [0.0] * 30, [1.0] * 30, encoder=False, heads=["astrology"])


def test_far_from_what_was_learnt_the_formula_counts() -> None:
    """Two asks of the same length, of a kind that no row was of."""
    rows = [f"Chapter {n} of the travel diary of a sailor" for n in range(60)]
    router = fit_router(rows, [0.0, 1.0] * 30, [1.0] * 60, encoder=False, heads=["length", "static"])
    hard, easy = router.gain(["Prove this theorem by induction please", "What does this one word mean please"])
    assert hard > easy


def test_word_problems_alike_are_ordered_by_the_relations_they_state() -> None:
    rows = [f"Chapter {n} of the travel diary of a sailor" for n in range(60)]
    router = fit_router(rows, [0.0, 1.0] * 30, [1.0] * 60, encoder=False, heads=["length", "static"])
    start, end = "Ada picks 14 baskets of 30 plums each.", "How many plums do they pick?"
    more, less = router.gain([f"{start} Tom picks twice as many. {end}", f"{start} Tom picks the other 20. {end}"])
    assert more > less

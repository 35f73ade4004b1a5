"""What the routing bench says about languages, thresholds, time and aims, and that it stands in the documentation."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.report import placed
from bench.routing_aims import aims
from bench.routing_metrics import Array
from bench.routing_plan import Lab
from bench.routing_routers import SLOW
from bench.routing_rows import outcomes
from bench.routing_sets import Public
from bench.routing_shift import language_rows, languages, realised, spearman, within
from bench.routing_speed import speed, texts
from bench.routing_tables import tables

PAGE = Path(__file__).parents[2] / "docs" / "routing.md"
scores = st.lists(st.integers(-9, 9).map(float), min_size=3, max_size=30)


@settings(max_examples=30)
@given(scores)
def test_ranks_agree_with_themselves_and_disagree_with_their_reverse(found: list[float]) -> None:
    said = np.array(found)
    same = 1.0 if len(set(found)) > 1 else 0.0
    assert spearman(said, np.exp(said)) == pytest.approx(same)
    assert spearman(said, -said) == pytest.approx(-same)


def test_equal_scores_share_their_rank() -> None:
    assert spearman(np.array([1.0, 2.0, 2.0, 3.0]), np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(0.9487, abs=1e-4)


def test_a_language_that_is_always_taken_for_easy_is_seen_though_its_order_is_the_same() -> None:
    english = np.linspace(0, 1, 101)
    known = np.linspace(0, 1, 50)
    found = language_rows(known, {"en": english, "it": english - 0.4, "fr": english})
    assert found["fr"] == found["en"]
    assert found["it"] == {"above_training_median": 0.1089, "above_english_median": 0.1089, "spearman": 1.0}
    assert not within(found)
    assert within({"en": found["en"], "fr": found["fr"]})


def test_a_language_whose_order_is_another_is_seen_though_as_many_are_hard() -> None:
    english = np.random.default_rng(0).random(200)
    found = language_rows(english, {"en": english, "de": np.random.default_rng(1).random(200)})
    assert abs(found["de"]["above_training_median"] - 0.5) < 0.1
    assert not within(found)


# ── with routers ────────────────────────────────────────────────────────────────────────────────────────────────────


class Longest:
    """The longer, the harder."""

    def __call__(self, texts: object, weak: object, strong: object, *, encoder: bool, seed: int) -> Longest:
        return self

    def gain(self, texts: Sequence[str]) -> list[float]:
        return [len(text) / 1000 for text in texts]

    def parts(self, texts: Sequence[str]) -> dict[str, list[float]]:
        return {"length": self.gain(texts)}


def lengths(texts: Sequence[str]) -> Array:
    return np.array([len(text) / 1000 for text in texts])


def found() -> Public:
    train, test = (
        outcomes("LLMRouter", ((f"{n} " + "x" * 10 * n, n / 60, 1.0, "math") for n in range(at, 60, 2)))
        for at in (0, 1)
    )
    hard = outcomes("ZeroEval crux", ((f"{n} " + "y" * 900, 0.0, 1.0, "crux") for n in range(60)))
    parallel = {code: tuple(code * n for n in range(1, 40)) for code in ("en", "es", "de", "fr")}
    return Public(llmrouter={"Mistral-7B": (train, test)}, zeroeval={"crux": hard}, parallel=parallel)


@pytest.fixture
def lab() -> Lab:
    return Lab(Longest(), lengths, {"shipped scorer": lengths}, "other sets", encoder=True, draws=20)


def test_a_threshold_that_halves_one_set_sends_all_of_another(lab: Lab) -> None:
    table = realised(found(), lab, lambda text: "maths" if "x" in text else "code")
    assert set(table) == {
        "shipped scorer, half of LLMRouter",
        "shipped scorer, 0.55",
        "ensemble, fast, from LLMRouter, half of LLMRouter",
        "ensemble, with encoder, from LLMRouter, half of LLMRouter",
    }
    half = table["shipped scorer, half of LLMRouter"]
    assert half["sets"]["LLMRouter test"] == pytest.approx(0.5, abs=0.05)
    assert half["sets"]["ZeroEval crux"] == 1
    assert half["families"]["code"] == {"share": 1.0, "of": 60}


def test_the_same_question_is_held_against_its_english_form(lab: Lab) -> None:
    rows = languages(found(), lab)
    assert set(rows) >= {"lexical formula", "length", "shipped scorer", f"{SLOW}, from LLMRouter"}
    assert all(within(languages) for languages in rows.values())


# ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_texts_to_time_with_are_never_the_same_and_of_one_length() -> None:
    for asked in texts(50).values():
        assert len(set(asked)) == 50
        assert len({len(text) for text in asked}) == 1


def test_a_score_is_timed_in_a_process_of_its_own() -> None:
    for scorer in speed(3, rounds=1).values():
        assert scorer["load_ms"] > 0
        sizes = [timed for size, timed in scorer.items() if size != "load_ms"]
        assert len(sizes) == 3
        assert all(0 < timed["cpu_ms"]["p50"] <= timed["cpu_ms"]["p99"] for timed in sizes)


# ── aims and tables ─────────────────────────────────────────────────────────────────────────────────────────────────


def suite(apgr: float, trained: str = "LLMRouter (100)") -> dict[str, object]:
    row = {"low": 0.4, "high": 0.9, "exact": apgr, "cpt50": 40.0, "cpt80": 70.0, "cpt95": 90.0}
    row |= {"over_length": 0.1, "over_length_low": -0.1, "over_length_high": 0.2}
    rows = [
        {"router": router, "trained": trained, "apgr": figure, **row}
        for router, figure in (("prompt length", 0.5), ("head: words", 0.99), (SLOW, apgr), ("oracle", 1.0))
    ]
    about = {"questions": 100, "weak": 0.5, "strong": 0.8, "strong_fixes": 0.35, "strong_breaks": 0.05, "seeds": [0]}
    return {**about, "rows": rows}


def result(apgr: float) -> dict[str, object]:
    empty: dict[str, object] = {"realised": {}, "languages": {}, "speed": {}}
    measured = {"in_domain": {"MMLU, 1,500 labels": suite(apgr)}, "left_out": {}, "transfer": {"GSM8K": suite(apgr)}}
    about = {"machine": {"cpu": "a CPU", "python": "3.11"}, "commit": "abc", "sets": "", "draws": 10, "missing": {}}
    return {**empty, **measured, **about}


@pytest.mark.parametrize(("apgr", "met"), [(0.7, "yes"), (0.61, "no")], ids=["reached", "missed"])
def test_an_aim_is_met_by_the_ensemble_that_would_be_used_and_not_by_the_best_row(apgr: float, met: str) -> None:
    said = {aim["aim"]: aim for aim in aims(result(apgr), dev=True)}
    assert said["MMLU and 1,500 labels, APGR"]["met"] == met
    assert "27 of 57 subjects" in said["MMLU and 1,500 labels, APGR"]["measured"]
    assert said["GSM8K, nothing learnt from it, APGR"]["met"] == "yes"
    assert said["MT-Bench, nothing learnt from it, APGR"] == {
        "aim": "MT-Bench, nothing learnt from it, APGR",
        "asked": "0.700",
        "measured": "not measured here",
        "met": "–",
    }


def test_the_tables_show_losses_as_they_are() -> None:
    said = tables({**result(0.48), "aims": aims(result(0.48), dev=True)})
    assert "| ensemble, with encoder | LLMRouter (100) | 0.480 (0.40–0.90) | +0.100 (−0.10–+0.20) |" in said
    assert "repairs 35.0 % and breaks 5.0 %" in said
    assert json.dumps(said)


def test_the_page_has_the_place_that_is_written() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert "\n\nnew tables\n\n" in placed(page, "new tables", "routing")

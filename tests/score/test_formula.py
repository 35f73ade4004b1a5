"""The formula, its file, and how it is fitted."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path

import numpy as np
import pytest

from gateway.score.ask import ask_of
from gateway.score.features import NAMES, TABLE, read
from gateway.score.formula import CEILING, THRESHOLD, formula, load, sureness
from gateway.score.lexicon import DATA, LANGUAGES, digest, lexicon
from gateway.score.train import design, fit, log_loss, prior_of

DOCUMENT = json.loads((DATA / "lexical.json").read_text())


def test_the_file_holds_numbers_and_names_its_data_with_licences() -> None:
    assert all(source["name"] and source["licence"] in {"MIT", "Apache-2.0"} for source in DOCUMENT["data"])
    assert set(DOCUMENT["local"]["weights"]) == set(DOCUMENT["remote"]["weights"]) == set(NAMES) == set(TABLE)
    assert DOCUMENT["local"]["log_loss"]["fitted"] < DOCUMENT["local"]["log_loss"]["prior"]
    assert DOCUMENT["remote"]["log_loss"]["fitted"] < DOCUMENT["remote"]["log_loss"]["prior"]


def test_weights_for_other_features_do_not_load() -> None:
    other = copy.deepcopy(DOCUMENT)
    other["local"]["weights"]["astrology"] = 1.0
    with pytest.raises(ValueError, match="astrology"):
        load(other)


def test_gain_is_the_difference_of_two_chances_on_the_stated_scale() -> None:
    values = read(ask_of("Prove that 7 is prime"), lexicon()).values
    local, remote = formula().local.chance(values), formula().remote.chance(values)
    assert formula().gain(values) == pytest.approx((min(remote, CEILING) - local + 1) / 2)
    assert formula().gain(values, local_fit=False) >= 0.9


def test_features_lie_between_0_and_about_1_however_long_the_text() -> None:
    for text in ("", "a", "Why? " * 500, "1 2 3 " * 9_000, "\\frac{}" * 3_000, "x\n" * 9_000):
        assert all(0 <= value <= 2.5 for value in read(ask_of(text), lexicon()).values)


def test_fitting_pulls_from_the_prior_towards_the_labels() -> None:
    texts = ["Prove it", "Hello", "Derive the integral", "Thanks"] * 40
    labels = np.array([0.0, 1.0, 0.0, 1.0] * 40)
    values, prior = design(texts), prior_of("local")
    fitted = fit(values, labels, prior)
    assert log_loss(values, labels, fitted) < log_loss(values, labels, prior)
    assert fitted[0] == pytest.approx(prior[0], abs=1e-3)  # the intercept is held


def test_confidence_grows_with_the_distance_from_the_threshold() -> None:
    near, far = (sureness(gain, cues=2, known_language=True) for gain in (0.56, 0.9))
    assert 0.5 <= near < far <= 0.95
    assert sureness(0.9, cues=0, known_language=True) < far


def test_tables_have_every_cue_in_every_language() -> None:
    for language in LANGUAGES:
        text = (DATA / f"cues_{language}.txt").read_text(encoding="utf-8")
        found = {line.split(":")[0] for line in text.splitlines() if line and not line.startswith("#")}
        assert found >= set(NAMES) & {
            "code",
            "maths",
            "prove",
            "reason",
            "why",
            "greet",
            "define",
            "factual",
            "quantity",
        }
        assert "follow" in found


def test_the_documentation_names_every_feature() -> None:
    page = (Path(__file__).parents[2] / "docs" / "scoring.md").read_text(encoding="utf-8")
    assert [name for name in NAMES if f"`{name}`" not in page] == []


def test_the_digest_is_sha256_and_stable() -> None:
    assert re.fullmatch(r"[0-9a-f]{64}", digest())
    assert digest() == digest()


def test_a_long_program_alone_is_not_taken_for_an_empty_ask() -> None:
    lone = ask_of("```python\n" + "value = compute(value)\n" * 40 + "```")
    assert formula().gain(read(lone, lexicon()).values) > THRESHOLD

"""The head: gains from signs, and the numbers that it is read from."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from gateway.cascade import CalibratedCascade, Head
from gateway.cascade.signs import NAMES, Signs
from gateway.core.confidence import Confidence, Means
from gateway.core.errors import ConfigurationError
from gateway.core.types import Assessment

COUNT = len(NAMES)


def head(intercept: float = 0.5, tokens: int = 24, **weights: float) -> Head:
    values = tuple(weights.get(name, 0.0) for name in NAMES)
    return Head(intercept, values, (0.0,) * COUNT, (1.0,) * COUNT, tokens)


def sureness(logprob: float = -0.5, tokens: int = 24) -> Confidence:
    return Confidence(tokens, logprob, 1.0, 2.0, 3 * logprob, Means(16, logprob / 2, 0.5, 2.5))


def cascade(head: Head, **more: Any) -> CalibratedCascade:
    return CalibratedCascade(head, **{"band": (0.45, 0.65), "most_tokens": 24, "most_s": 1.5, **more})


def test_every_name_has_its_sign() -> None:
    read = Signs().read(0.5, 0.4, 0.9, sureness(), "I'm sorry, but I can't", True)
    assert dict(zip(NAMES, read, strict=True)) == {
        "gain": 0.5, "local": 0.4, "remote": 0.9, "mean_logprob": -0.5, "lowest_logprob": -1.5, "mean_entropy": 1.0,
        "mean_margin": 2.0, "early_logprob": -0.25, "early_entropy": 0.5, "early_margin": 2.5, "refuses": 1.0,
        "loops": 0.0, "ended": 1.0,
    }  # fmt: skip


def test_a_less_sure_draft_gains_more_by_going_out_where_the_head_learned_so() -> None:
    judge = cascade(head(mean_logprob=-0.1))
    known = Assessment(gain=0.5)
    sure, unsure = (judge.gain(known, sureness(logprob), "Text", False) for logprob in (-0.1, -2.0))
    assert (sure, unsure) == (0.51, 0.7)


def test_a_sign_that_is_not_known_counts_as_usual_and_one_far_out_no_more_than_the_farthest_measured() -> None:
    trained = Head(0.6, (0.1,) * COUNT, (0.5,) * COUNT, (0.1,) * COUNT, 24)
    assert trained.gain((math.nan,) * COUNT) == 0.6
    near, far = (Head(0.1, (0.05,), (0.0,), (1.0,), 24).gain((sign,)) for sign in (4.0, 4e9))
    assert near == far == pytest.approx(0.3)


@pytest.mark.parametrize("sign", [-1e300, 1e300, math.inf, -math.inf, math.nan])
def test_a_gain_is_always_between_nothing_and_one(sign: float) -> None:
    assert 0.0 <= head(mean_logprob=9.0, ended=-9.0).gain((sign,) * COUNT) <= 1.0


def test_an_engine_without_figures_says_nothing() -> None:
    assert cascade(head()).gain(Assessment(gain=0.5), None, "Text", False) is None


@pytest.mark.parametrize(("gain", "drafts"), [(None, False), (0.44, False), (0.45, True), (0.65, True), (0.66, False)])
def test_drafts_are_made_in_the_band_its_ends_included(gain: float | None, drafts: bool) -> None:
    assert cascade(head()).drafts(Assessment(gain=gain)) is drafts


def test_no_more_tokens_are_held_than_the_head_was_trained_on() -> None:
    assert cascade(head(tokens=16)).most_tokens == 16
    assert cascade(head(tokens=48)).most_tokens == 24


def test_a_head_survives_its_file() -> None:
    made = head(0.61, mean_margin=0.02)
    assert Head.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({"signs": [*NAMES[:-1], "other"]}, id="another sign"),
        pytest.param({"weights": [0.1]}, id="too few weights"),
        pytest.param({"weights": [0.1] * (COUNT - 1) + [math.nan]}, id="a weight that is no number"),
        pytest.param({"weights": [0.1] * (COUNT - 1) + ["x"]}, id="a weight that is a word"),
        pytest.param({"spread": [0.0] * COUNT}, id="no spread"),
        pytest.param({"intercept": math.inf}, id="an endless intercept"),
        pytest.param({"intercept": None}, id="no intercept"),
        pytest.param({"tokens": 0}, id="no tokens"),
        pytest.param({"tokens": math.inf}, id="endless tokens"),
    ],
)
def test_numbers_that_cannot_be_used_are_refused_with_the_way_out(changed: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="run `gateway calibrate` again"):
        Head.from_json({**head().to_json(), **changed})


def test_a_file_without_a_part_is_refused() -> None:
    with pytest.raises(ConfigurationError):
        Head.from_json({"signs": list(NAMES)})

"""Training the head: worth it where drafts tell what the score does not, and off everywhere else."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest

from gateway.calibrate.drafts import FEWEST, Row, fit, row
from gateway.cascade import Head
from gateway.cascade.signs import NAMES
from gateway.core.beginning import Beginning
from gateway.core.types import Chunk


def rows(count: int = 200, *, told: float = 2.0, seed: int = 3, remote: float = 0.95, groups: int = 0) -> list[Row]:
    """Probes of which the local model answers half. The score knows nothing; entropy tells with strength `told`."""
    chance = np.random.default_rng(seed)
    made = []
    for number in range(count):
        local = float(chance.random() < 0.5)
        signs = chance.normal(size=len(NAMES))
        signs[NAMES.index("mean_entropy")] -= told * local
        group = f"g{number % groups}" if groups else ""
        made.append(Row(tuple(map(float, signs)), local, float(chance.random() < remote), group))
    return made


def test_drafts_that_tell_right_from_wrong_are_worth_it_and_the_head_ranks_by_them() -> None:
    fitted = fit(rows(), tokens=24)
    assert fitted.head is not None
    assert fitted.low > 0
    assert fitted.drafted > fitted.without + 0.1
    sure, unsure = ([0.0] * len(NAMES) for _ in range(2))
    unsure[NAMES.index("mean_entropy")] = 2.0
    assert fitted.head.gain(unsure) > fitted.head.gain(sure)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_drafts_that_tell_nothing_are_off(seed: int) -> None:
    fitted = fit(rows(told=0.0, seed=seed), tokens=24)
    assert fitted.head is None
    assert fitted.to_json() is None
    assert fitted.why.startswith("drafts are not worth it")


def test_drafts_that_tell_what_the_score_says_already_are_off() -> None:
    known = [
        Row((-each.signs[NAMES.index("mean_entropy")] * -1, *each.signs[1:]), each.local, each.remote)
        for each in rows()
    ]
    assert fit(known, tokens=24).head is None


def test_what_is_worth_it_for_an_infallible_remote_is_off_where_the_remote_errs_on_the_same_probes() -> None:
    """The signal tells where the local model is wrong; but there the remote one is wrong as well."""
    alike = [Row(each.signs, each.local, each.local if number % 10 else 1.0) for number, each in enumerate(rows())]
    assert fit(rows(remote=1.0), tokens=24).head is not None
    assert fit(alike, tokens=24).head is None


@pytest.mark.parametrize(
    ("few", "why"),
    [
        pytest.param(rows(FEWEST - 1), "too few", id="too few probes"),
        pytest.param(rows(remote=0.2), "not better", id="a remote model that is no better"),
    ],
)
def test_what_cannot_be_judged_is_off_and_says_why(few: Sequence[Row], why: str) -> None:
    fitted = fit(few, tokens=24)
    assert (fitted.head, fitted.to_json()) == (None, None)
    assert why in fitted.why


def test_a_fit_is_the_same_every_time() -> None:
    assert fit(rows(), tokens=24) == fit(rows(), tokens=24)


def test_what_stands_in_the_calibration_is_json_and_makes_the_same_head() -> None:
    fitted = fit(rows(), tokens=16)
    told = json.loads(json.dumps(fitted.to_json(), allow_nan=False))
    assert Head.from_json(told) == fitted.head
    assert told["tokens"] == 16
    assert told["low"] > 0


def test_signs_that_nobody_knew_weigh_nothing() -> None:
    blind = [Row((each.signs[0], math.nan, math.nan, *each.signs[3:]), each.local, each.remote) for each in rows()]
    fitted = fit(blind, tokens=24)
    assert fitted.head is not None
    assert fitted.head.weights[1:3] == (0.0, 0.0)


def test_copies_of_a_few_probes_are_not_taken_for_many() -> None:
    few = rows(40)
    copied = fit([Row(each.signs, each.local, each.remote) for each in few * 5], tokens=24)
    grouped = fit(
        [Row(each.signs, each.local, each.remote, str(number % 40)) for number, each in enumerate(few * 5)], tokens=24
    )
    assert grouped.high - grouped.low > 1.5 * (copied.high - copied.low)


def test_a_measured_probe_becomes_a_row() -> None:
    beginning = Beginning(2)
    beginning.add([Chunk(0, {"content": "Yes"}, confidence=[(-0.5, 1.0, 2.0)]), Chunk(0, {"content": "."}, "stop")])
    made = row((0.5, None, 0.9), beginning, local=1.0, remote=0.0, group="g")
    named = dict(zip(NAMES, made.signs, strict=True))
    assert (named["gain"], named["mean_logprob"], named["ended"]) == (0.5, -0.5, 1.0)
    assert math.isnan(named["local"])
    assert (made.local, made.remote, made.group) == (1.0, 0.0, "g")

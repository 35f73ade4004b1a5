"""What the cascade's bench says, on drafts whose worth is known."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import anyio
import numpy as np
import pytest

from bench.cascade import auroc, figures, measured, times
from bench.cascade_drafts import Drafted, chosen, make, read
from gateway.calibrate.probes import load
from gateway.core.types import BackendSpec, Zone

SPEC = BackendSpec("local", Zone.LOCAL, "llama", "small")


def drafts(telling: float) -> list[Drafted]:
    """Half of the probes are right, and of those the tokens are surer by `telling` nats."""
    chance = np.random.default_rng(2)
    made = []
    for probe in chosen(150):
        right = bool(chance.random() < 0.5)
        entropy = 2.0 + float(chance.normal()) - telling * right
        made.append(
            Drafted(
                probe.id, probe.lang, probe.family, probe.level, "Text", [[-1.0, entropy, 2.0]] * 24, False, right,
                100.0, 50.0,
            )
        )  # fmt: skip
    return made


@pytest.mark.parametrize(
    ("signs", "wrong", "area"),
    [
        pytest.param([1, 2, 3, 4], [0, 0, 1, 1], 1.0, id="told apart"),
        pytest.param([4, 3, 2, 1], [0, 0, 1, 1], 0.0, id="turned round"),
        pytest.param([1, 1, 1, 1], [0, 1, 0, 1], 0.5, id="always the same"),
    ],
)
def test_auroc_is_the_chance_to_tell_a_wrong_answer_from_a_right_one(
    signs: list[float], wrong: list[float], area: float
) -> None:
    assert auroc(np.array(signs, dtype=float), np.array(wrong, dtype=float)) == area


@pytest.mark.parametrize(("telling", "worth_it"), [(3.0, True), (0.0, False)])
def test_drafts_are_worth_it_where_they_tell_something(telling: float, worth_it: bool) -> None:
    probes = {probe.id: probe for probe in load()}
    told = figures(measured("all", drafts(telling), probes, SPEC, errs=False), (0.0, 1.0))
    assert told["worth_it"] is worth_it
    assert (told["apgr"]["with drafts"] > told["apgr"]["score calibrated"] + 0.1) is worth_it
    assert told["in_band"] == 1.0


def test_drafts_that_are_in_the_file_are_not_made_again(tmp_path: Path) -> None:
    file = tmp_path / "drafts.jsonl"
    known = drafts(1.0)
    file.write_text("".join(json.dumps(asdict(each)) + "\n" for each in known))
    assert anyio.run(make, file, "no such model", 150, 1) == known
    assert len(read(file)) == len(known)


def test_the_english_probes_come_first_and_the_others_are_as_many_of_each_language() -> None:
    languages = [probe.lang for probe in chosen(150)]
    others = {languages.count(each) for each in ("it", "es", "de", "fr")}
    assert len(others) == 1
    assert len(languages) <= 150
    assert languages.count("en") == sum(probe.lang == "en" for probe in load())


def test_the_time_to_the_first_token_and_the_time_held_add_up() -> None:
    assert times(drafts(0.0))["together_ms_p50"] == 150.0

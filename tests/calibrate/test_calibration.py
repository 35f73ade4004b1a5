"""The calibration file: pinned, checked number by number, and applied without numpy."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import ConfigurationError
from gateway.score.calibration import Calibration, Cell, Correction, Figures, Pins, from_json, load, to_json, write

PINS = Pins(model="a" * 64, quantisation="Q4_1, auto", template="t1", scorer="s1")
REST = (0.0, 0.1, *(0.0,) * 15)
"""Of languages and families: Italian alone has a weight."""
CALIBRATION = Calibration(
    pins=PINS,
    against="large d1",
    made_at="2026-11-21T12:00:00+00:00",
    local=Correction(-0.1, (0.5, -0.5, *REST), (0.0, 0.5, 1.0), (0.1, 0.2, 0.9)),
    remote=Correction(0.0, (0.0, 0.0, *REST), (0.0, 1.0), (0.5, 1.0)),
    competence={"maths": {"it": Cell(0.25, 6, 0.05, 0.6)}},
    quantiles={"maths": (0.5, 0.6, 0.9)},
    figures=Figures(300, 0.66, 0.58, 0.74, 0.6, 0.3, 0.9, 100.0),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "calibration.json"
    write(CALIBRATION, path)
    return path


def test_what_was_written_is_read_again(file: Path) -> None:
    assert load(file, PINS) == CALIBRATION


@pytest.mark.parametrize("name", ["model", "quantisation", "template", "scorer"])
def test_a_calibration_made_for_something_else_is_refused_and_both_are_named(file: Path, name: str) -> None:
    other = replace(PINS, **{name: "another"})
    with pytest.raises(ConfigurationError, match=f"its {name} is") as refused:
        load(file, other)
    assert repr("another") in str(refused.value)
    assert repr(getattr(PINS, name)) in str(refused.value)


def test_a_chance_is_shifted_by_its_features_and_then_put_on_the_line() -> None:
    local, remote = CALIBRATION.apply([1.0, 0.0], 0.35, 0.8)
    assert local == pytest.approx(0.2 + 0.7 * 0.5)  # 0.35 − 0.1 + 0.5 = 0.75, halfway between 0.5 and 1
    assert remote == pytest.approx(0.9)


def test_a_language_has_a_correction_of_its_own() -> None:
    assert CALIBRATION.apply([0.0, 0.0], 0.6, 0.8)[0] == pytest.approx(0.2)
    assert CALIBRATION.apply([0.0, 0.0], 0.6, 0.8, language="it")[0] == pytest.approx(0.2 + 0.7 * 0.2)


@pytest.mark.parametrize(("feature", "wanted"), [(9.0, 0.9), (-9.0, 0.1)])
def test_what_lies_beyond_the_probes_gets_what_their_end_got(feature: float, wanted: float) -> None:
    assert CALIBRATION.apply([feature, 0.0], 0.5, 0.5)[0] == wanted


def test_features_of_another_length_or_no_numbers_correct_nothing() -> None:
    assert CALIBRATION.apply([1.0], 0.35, 0.8) == (0.35, 0.8)
    assert CALIBRATION.apply([float("nan"), 0.0], 0.35, 0.8)[0] == 0.35


def test_what_was_not_measured_is_not_known() -> None:
    assert CALIBRATION.cell("maths", "it") == Cell(0.25, 6, 0.05, 0.6)
    assert CALIBRATION.cell("maths", "de") is CALIBRATION.cell("code", "it") is CALIBRATION.cell("maths", None) is None


DAMAGE: list[Any] = [
    pytest.param(["format"], "something", id="another format"),
    pytest.param(["local", "bias"], float("nan"), id="NaN"),
    pytest.param(["local", "bias"], 10**400, id="a number no float holds"),
    pytest.param(["local", "weights"], [1.0], id="fewer weights"),
    pytest.param(["local", "means"], [0.9, 0.2, 0.1], id="a line that falls"),
    pytest.param(["remote", "means"], [0.5, 1.5], id="a chance above one"),
    pytest.param(["competence", "maths", "it"], [2, 6, 0, 1], id="a share above one"),
    pytest.param(["figures"], {}, id="no figures"),
    pytest.param(["pins"], {"model": "a"}, id="no pins"),
    pytest.param(["quantiles"], [1], id="a list for an object"),
    pytest.param(["cascade"], "on", id="a word for the cascade"),
]


@pytest.mark.parametrize(("place", "value"), DAMAGE)
def test_a_damaged_file_is_refused_in_one_sentence(file: Path, place: list[str], value: Any) -> None:
    document = json.loads(file.read_text())
    part = document
    for name in place[:-1]:
        part = part[name]
    part[place[-1]] = value
    file.write_text(json.dumps(document))
    with pytest.raises(ConfigurationError, match="damaged"):
        load(file, PINS)


@pytest.mark.parametrize("content", ["", "[1]", "{", "[" * 100_000])
def test_what_is_no_calibration_is_refused(file: Path, content: str) -> None:
    file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"score\.calibration"):
        load(file, PINS)


def test_a_file_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file"):
        load(tmp_path / "none.json", PINS)


def test_reading_and_applying_need_no_numpy(file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from gateway.score.calibration import read; "
        f"read(Path({str(file)!r})).apply([0.0, 0.0], 0.5, 0.5); print('numpy' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert told.stdout == "False\n"


def test_two_calibrations_have_two_digests() -> None:
    assert CALIBRATION.digest == from_json(to_json(CALIBRATION)).digest
    assert CALIBRATION.digest != replace(CALIBRATION, made_at="later").digest

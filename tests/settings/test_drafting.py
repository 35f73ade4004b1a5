"""What an operator may say about drafts, and what is refused in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.settings import load_settings
from gateway.settings.drafting import Cascade


def read(folder: Path, text: str) -> Cascade:
    file = folder / "gateway.yaml"
    file.write_text(text)
    return load_settings(file)[0].cascade


def test_without_a_word_drafts_are_made_where_calibration_found_them_worth_it(tmp_path: Path) -> None:
    assert read(tmp_path, "{}") == Cascade(mode="auto", most_tokens=24, most_s=1.5, band=(0.45, 0.65))


@pytest.mark.parametrize("word", ["off", "'off'", "false"])
def test_off_is_off_however_it_is_written(tmp_path: Path, word: str) -> None:
    assert read(tmp_path, f"cascade: {{mode: {word}}}\n").mode == "off"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("{mode: on}", "cascade.mode", id="a mode that is none"),
        pytest.param("{most_tokens: 1}", "cascade.most_tokens", id="too few tokens to tell anything"),
        pytest.param("{most_s: 0}", "cascade.most_s", id="no time"),
        pytest.param("{most_s: .inf}", "cascade.most_s", id="endless time"),
        pytest.param("{band: [0.65, 0.45]}", "lower end comes first", id="a band upside down"),
        pytest.param("{band: [0.45]}", "cascade.band", id="half a band"),
        pytest.param("{band: [-0.1, 0.5]}", "cascade.band", id="a band beyond the scale"),
        pytest.param("{tokens: 24}", "cascade.tokens", id="a word that is no setting"),
    ],
)
def test_a_setting_that_is_none_is_named(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        read(tmp_path, f"cascade: {text}\n")

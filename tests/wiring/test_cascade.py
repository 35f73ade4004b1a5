"""When there is a cascade: measured, worth it, and not switched off."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from gateway.cascade import Head
from gateway.cascade.signs import NAMES
from gateway.core.errors import ConfigurationError
from gateway.core.types import Assessment
from gateway.score.calibration import Calibration, Correction, Figures, Pins
from gateway.settings import Settings
from gateway.wiring.cascade import build_cascade

HEAD = Head(0.5, (0.0,) * len(NAMES), (0.0,) * len(NAMES), (1.0,) * len(NAMES), 16)


def calibration(cascade: Mapping[str, Any] | None) -> Calibration:
    return Calibration(
        pins=Pins("m", "q", "t", "s"), against="large", made_at="2026-11-21T12:00:00+00:00", local=Correction(),
        remote=Correction(), competence={}, quantiles={}, figures=Figures(300, 0.6, 0.55, 0.65, 0.58, 0.3, 0.9, 100.0),
        cascade=cascade,
    )  # fmt: skip


def test_a_calibrated_head_makes_a_cascade_with_the_settings_bounds() -> None:
    settings = Settings.model_validate({"cascade": {"band": [0.3, 0.8], "most_s": 2}})
    cascade = build_cascade(settings, calibration(HEAD.to_json()))
    assert cascade is not None
    assert (cascade.most_tokens, cascade.most_s) == (16, 2.0)
    assert [cascade.drafts(Assessment(gain=gain)) for gain in (0.2, 0.3, 0.8, 0.9)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("mode", "given"),
    [
        pytest.param("auto", None, id="no calibration"),
        pytest.param("auto", calibration(None), id="drafts were not worth it"),
        pytest.param("off", calibration(HEAD.to_json()), id="switched off"),
    ],
)
def test_there_is_none_where(mode: str, given: Calibration | None) -> None:
    assert build_cascade(Settings.model_validate({"cascade": {"mode": mode}}), given) is None


def test_a_head_that_cannot_be_used_is_refused_before_anything_is_served() -> None:
    with pytest.raises(ConfigurationError, match="gateway calibrate"):
        build_cascade(Settings(), calibration({**HEAD.to_json(), "weights": [1.0]}))

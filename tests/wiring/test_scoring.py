"""The scorer as it is wired: the section `score` of the configuration, and when the encoder is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from gateway.core.types import BackendSpec, Principal, Request, Zone
from gateway.score.formula import GREY
from gateway.settings.scoring import Scoring
from gateway.wiring.scoring import build_scorer

SPEC = BackendSpec("local", Zone.LOCAL, "llama", "tiny", languages=frozenset({"en"}))


def encoder_of(settings: Scoring) -> str:
    request = Request("r", Principal(), "auto", {"messages": [{"role": "user", "content": "Why do rivers bend?"}]})
    told: dict[str, Any] = build_scorer(SPEC, settings).explain(request)["ensemble"]
    return str(told["encoder"])


def test_the_encoder_is_there_where_it_is_installed_and_not_switched_off() -> None:
    assert encoder_of(Scoring()) == "not ready"
    assert encoder_of(Scoring(encoder="off")) == "off"


@pytest.mark.parametrize(
    ("given", "want"),
    [
        ({}, Scoring()),
        ({"encoder": False}, Scoring(encoder="off")),
        ({"calibration": "none"}, Scoring()),
        ({"calibration": "own.json"}, Scoring(calibration=Path("own.json"))),
        ({"grey": [0.5, 0.5]}, Scoring(grey=(0.5, 0.5))),
    ],
)
def test_the_section_is_read_as_yaml_writes_it(given: dict[str, Any], want: Scoring) -> None:
    assert Scoring.model_validate(given) == want
    assert Scoring().grey == GREY


@pytest.mark.parametrize(
    "given", [{"encoder": "on"}, {"grey": [0.7, 0.4]}, {"grey": [-1, 0.4]}, {"grey": [0.5]}, {"gray": [0.4, 0.5]}]
)
def test_what_makes_no_sense_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Scoring.model_validate(given)

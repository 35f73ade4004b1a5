"""A shadow that could not keep its promise is refused before anything is served."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import structlog
from pydantic import ValidationError

from gateway.core.errors import ConfigurationError
from gateway.core.types import BackendSpec, Zone
from gateway.prices import PriceTable
from gateway.settings import Settings
from gateway.shadow.worker import Shadow
from gateway.telemetry import Metrics
from gateway.wiring.shadow import build_shadow, shadow_place
from tests.shadow.conftest import PRICES
from tests.support.line import Lines, ScriptedRemote


def built(folder: Path, told: dict[str, Any], prices: PriceTable = PRICES, remote: ScriptedRemote | None = None) -> Any:
    parts = Lines(folder, prices=prices)(*([remote] if remote else [])).parts
    log = structlog.testing.CapturingLogger()
    shadow = build_shadow(Settings(shadow=told), folder, parts, Metrics(version="1"), log, str.upper)
    return shadow, [call.args[0] for call in log.calls]


def test_it_is_off_unless_it_is_switched_on(tmp_path: Path) -> None:
    assert built(tmp_path, {}) == (None, [])
    assert built(tmp_path, {"backend": "large"}) == (None, [])


def test_switched_on_it_keeps_its_numbers_beside_the_audit_folder(tmp_path: Path) -> None:
    shadow, said = built(tmp_path, {"share": 0.1, "backend": "large"})
    assert isinstance(shadow, Shadow)
    assert said == []
    assert shadow_place(Settings(), tmp_path) == tmp_path / "var" / "shadow.jsonl"


@pytest.mark.parametrize(
    ("told", "prices", "says"),
    [
        ({"share": 0.1}, PRICES, "shadow.backend is None"),
        ({"share": 0.1, "backend": "lrage"}, PRICES, "'lrage'.*'large'"),
        ({"share": 0.1, "backend": "local"}, PRICES, "'local'"),
        ({"share": 0.1, "backend": "large"}, PriceTable({}), "prices"),
    ],
    ids=["no backend", "a backend that is none", "this host", "an unknown price"],
)
def test_what_it_cannot_keep_is_told_in_one_sentence(
    tmp_path: Path, told: dict[str, Any], prices: PriceTable, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=says):
        built(tmp_path, told, prices)


def test_a_stand_in_measures_nothing(tmp_path: Path) -> None:
    remote = ScriptedRemote()
    remote.spec = BackendSpec("large", Zone.REMOTE, "canned", "m")
    assert built(tmp_path, {"share": 0.1, "backend": "large"}, remote=remote) == (None, ["shadow_off"])


@pytest.mark.parametrize("told", [{"share": 1.5}, {"share": -0.1}, {"budget_usd_per_day": -1}, {"shares": 0.1}])
def test_a_setting_that_makes_no_sense_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(shadow=told)

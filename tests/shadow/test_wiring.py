"""Who measures is there unless the settings switch it off, and refused where no budget can be kept."""

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
from tests.shadow.conftest import MEASURED, PRICES, measuring
from tests.support.line import POLICY, Lines, ScriptedRemote


def built(
    folder: Path,
    measured: str,
    prices: PriceTable = PRICES,
    remote: ScriptedRemote | None = None,
    **told: Any,
) -> Any:
    line = Lines(folder, prices=prices)(*([remote] if remote else []), policy=measuring(POLICY, measured))
    log = structlog.testing.CapturingLogger()
    shadow = build_shadow(Settings(shadow=told), folder, line.parts, Metrics(version="1"), log, str.upper)
    return shadow, [call.args[0] for call in log.calls]


@pytest.mark.parametrize("mode", ["off", False], ids=["off", "as some YAML readers read it"])
def test_the_settings_switch_it_off_whatever_the_policy_says(tmp_path: Path, mode: Any) -> None:
    assert built(tmp_path, MEASURED, mode=mode) == (None, [])
    assert built(tmp_path, MEASURED, PriceTable({}), mode=mode) == (None, [])


def test_it_keeps_its_numbers_beside_the_audit_folder(tmp_path: Path) -> None:
    shadow, said = built(tmp_path, MEASURED)
    assert isinstance(shadow, Shadow)
    assert said == []
    assert shadow_place(Settings(), tmp_path) == tmp_path / "var" / "shadow.jsonl"


def test_it_is_ready_for_a_policy_that_wants_it_later(tmp_path: Path) -> None:
    shadow, said = built(tmp_path, "", PriceTable({}))
    assert (isinstance(shadow, Shadow), said) == (True, [])


def test_a_budget_that_nobody_can_keep_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"shadow asks backend 'large'.*prices"):
        built(tmp_path, MEASURED, PriceTable({}))


def test_that_a_stand_in_measures_nothing_is_told(tmp_path: Path) -> None:
    remote = ScriptedRemote()
    remote.spec = BackendSpec("large", Zone.REMOTE, "canned", "m")
    assert built(tmp_path, MEASURED, remote=remote)[1] == ["shadow_off"]


@pytest.mark.parametrize("told", [{"mode": "on"}, {"budget_usd_per_day": -1}, {"share": 0.1}])
def test_a_setting_that_makes_no_sense_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(shadow=told)

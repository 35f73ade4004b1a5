"""The tables hold medians over rounds, and ratios taken within a round."""

from __future__ import annotations

from typing import Any

import pytest

from bench.report import per_event_us, placed, ratio, table


def rows(*cpu_ms: float) -> list[dict[str, float]]:
    rest = {"p50_ms": 1.0, "p99_ms": 2.0, "first_byte_p50_ms": 0.5, "per_s": 100.0}
    return [{"cpu_ms": figure, **rest} for figure in cpu_ms]


def test_a_ratio_ignores_drift_that_both_sides_share() -> None:
    assert ratio(rows(5.0, 50.0, 10.0), rows(1.0, 10.0, 2.0), "cpu_ms") == 5.0


def test_an_event_costs_what_a_stream_costs_beyond_a_plain_answer() -> None:
    figures = {"plain": rows(1.0, 2.0), "stream": rows(2.28, 3.28)}
    assert per_event_us(figures, 128, "stream", "plain") == pytest.approx(10.0)


def test_the_tables_name_every_peer_every_scenario_and_who_was_missing() -> None:
    names = ["JSON, 1 connection", "JSON, 8 connections", "stream, 1 connection"]
    found: dict[str, Any] = {
        "machine": {"cpu": "a CPU", "cores": 2, "python": "3.11.7"},
        "events_per_stream": 128,
        "missing": {"nginx": "it is not installed"},
        "imports_litellm": {"gateway": False},
        "start": {peer: {"ready_s": 1.0, "ready_mb": 90.0, "warm_mb": 95.0} for peer in ("gateway", "other")},
        "rounds": {"gateway": {name: rows(1.0) for name in names}, "other": {name: rows(6.0) for name in names}},
    }
    text = table(found)
    assert all(name in text for name in [*names, "CPU per streamed event"])
    assert "| other | 6.000 ms | 6.00 × |" in text
    assert "Without nginx: it is not installed." in text
    assert "litellm in the gateway's process: not imported." in text


PAGE = "above\n<!-- overhead -->\nold\n<!-- end of overhead -->\nbelow\n"


def test_new_tables_take_the_place_of_the_old_ones_and_of_nothing_else() -> None:
    page = placed(PAGE, "new")
    assert page == placed(page, "new")
    assert page.startswith("above\n")
    assert page.endswith("\nbelow\n")
    assert "old" not in page


def test_each_table_has_marks_of_its_own() -> None:
    page = PAGE + PAGE.replace("overhead", "engine")
    changed = placed(page, "new", mark="engine")
    assert changed.startswith(PAGE)
    assert changed.count("old") == 1


def test_a_page_without_marks_is_left_alone() -> None:
    with pytest.raises(ValueError, match="marks"):
        placed("no marks here", "new")

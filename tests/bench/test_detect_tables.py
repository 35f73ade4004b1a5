"""The tables show every figure of a run, with its interval, and say which detectors were not there."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from bench.detect import measure
from bench.detect_tables import share, tables
from bench.report import placed

PAGE = Path(__file__).parents[2] / "docs" / "privacy.md"


@pytest.mark.parametrize(
    ("counted", "said"),
    [
        ({"hits": 0, "of": 500, "low": 0.0, "high": 0.0076}, "0.0 % (0–0.8)"),
        ({"hits": 81, "of": 263, "low": 0.2553, "high": 0.3662}, "30.8 % (26–37)"),
        ({"hits": 0, "of": 0, "low": 0.0, "high": 1.0}, "–"),
        (None, "–"),
    ],
)
def test_a_share_stands_with_its_interval(counted: dict[str, float] | None, said: str) -> None:
    assert share(counted) == said


def test_a_run_on_the_projects_own_rows_fills_every_table_and_fits_the_page(tmp_path: Path) -> None:
    options = argparse.Namespace(data=None, taught=False, rows=15, peer_rows=5, alone=True, only=[], quick=True)
    found = measure(options, tmp_path)
    text = tables({**found, "missing": {"Presidio": "it could not be installed"}})
    assert "Without Presidio: it could not be installed." in text
    for title in ("Private", "Clean", "Values", "Disguises", "After pseudonymising", "Processor time", "Slow", "Start"):
        assert f"### {title}" in text
    assert placed(PAGE.read_text(encoding="utf-8"), text, "detect").count("### Private requests") == 1

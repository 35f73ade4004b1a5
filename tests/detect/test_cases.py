"""Every row of cases/*.yaml: what is found, where, and what is let be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.core.types import CATEGORIES
from gateway.detect import Scanner

CASES = [
    pytest.param(case, id=f"{path.stem}: {case['note']}")
    for path in sorted((Path(__file__).parent / "cases").glob("*.yaml"))
    for case in yaml.safe_load(path.read_text(encoding="utf-8"))
]


@pytest.mark.parametrize("case", CASES)
def test_a_text_holds_exactly_these_kinds(scanner: Scanner, case: dict[str, Any]) -> None:
    text = "".join(case["text"])
    scan = scanner.find_in_text(text)
    found = sorted(scan.findings, key=lambda finding: finding.place.start)
    assert [finding.kind for finding in found] == case["want"]
    assert scan.unreadable == ()
    assert all(finding.category in CATEGORIES and 0 < finding.confidence <= 1 for finding in found)
    if "span" in case:
        assert text[found[0].place.start : found[0].place.end] == case["span"]
    if "reserved" in case:
        assert {finding.reserved for finding in found} == {case["reserved"]}

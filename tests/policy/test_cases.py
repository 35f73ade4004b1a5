"""The shipped policies do what their cases say, and the runner says what differs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import ConfigurationError
from gateway.policy.cases import CATALOGUE, read_cases, run_cases
from gateway.policy.check import check_policy

pytestmark = pytest.mark.anyio
POLICIES = Path(__file__).parents[2] / "policies"
SHIPPED = ["default", "earned", "masked", "strict"]


@pytest.mark.parametrize("name", SHIPPED)
async def test_a_shipped_policy_passes_its_cases(name: str, detector: Any, scorer: Any) -> None:
    results = await run_cases(
        POLICIES / f"{name}.yaml", POLICIES / f"{name}.cases.yaml", detector=detector, scorer=scorer
    )
    assert results
    assert [(result.note, result.differences) for result in results if not result.passed] == []


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_policy_has_nothing_to_check(name: str) -> None:
    report = check_policy(POLICIES / f"{name}.yaml", CATALOGUE)
    assert (report.errors, report.warnings, report.unreachable) == ((), (), ())


def test_every_case_has_its_own_note() -> None:
    for name in SHIPPED:
        notes = [case.note for case in read_cases(POLICIES / f"{name}.cases.yaml").cases]
        assert len(notes) == len(set(notes))


async def test_cases_may_be_a_bare_list(tmp_path: Path, detector: Any, scorer: Any) -> None:
    cases = tmp_path / "x.cases.yaml"
    cases.write_text(
        """
- note: private stays local however hard
  messages: [{role: user, content: "IBAN DE89 3704 0044 0532 0130 00, draft an appeal"}]
  complexity: 0.9
  want: {zone: local, rule: default, findings: [iban]}
""",
        encoding="utf-8",
    )
    (result,) = await run_cases(POLICIES / "default.yaml", cases, detector=detector, scorer=scorer)
    assert result.differences == ()


async def test_each_wish_that_was_not_met_is_named(tmp_path: Path, detector: Any, scorer: Any) -> None:
    cases = tmp_path / "x.cases.yaml"
    cases.write_text(
        """
cases:
  - note: wrong in three ways
    messages: [{role: user, content: "DE89 3704 0044 0532 0130 00"}]
    complexity: 0.9
    want: {zone: remote, level: public, findings: [email], rule: default}
""",
        encoding="utf-8",
    )
    (result,) = await run_cases(POLICIES / "default.yaml", cases, detector=detector, scorer=scorer)
    assert not result.passed
    assert result.differences == (
        "findings: want ['email'], have ['iban']",
        "level: want public, have confidential",
        "zone: want remote, have local",
    )


@pytest.mark.parametrize(
    ("field", "wrong"),
    [("want: {zoen: local}", "zoen"), ("want: {}\n    at: 5 o'clock", "at: not a time"),
     ("want: {}\n    at: '2026-11-21T09:30:00'", "at: not a time"),
     ("want: {}\n    backends: [{name: far, zone: remote}]", "no backend of zone local")],
    ids=["misspelt", "no time", "no offset", "no place to stay"],
)  # fmt: skip
async def test_a_mistake_in_a_case_is_told(field: str, wrong: str, tmp_path: Path, detector: Any, scorer: Any) -> None:
    cases = tmp_path / "x.cases.yaml"
    cases.write_text(
        f"cases:\n  - note: n\n    messages: [{{role: user, content: hi}}]\n    {field}\n", encoding="utf-8"
    )
    try:
        (result,) = await run_cases(POLICIES / "strict.yaml", cases, detector=detector, scorer=scorer)
        told = " ".join(result.differences)
    except ConfigurationError as error:
        told = str(error)
    assert wrong in told


async def test_a_case_may_fix_time_and_other_fields(tmp_path: Path, detector: Any, scorer: Any) -> None:
    policy, cases = tmp_path / "p.yaml", tmp_path / "p.cases.yaml"
    policy.write_text(
        """
name: p
permit:
  - name: at-night
    zone: remote
    when: {sensitivity: {at_most: internal}, time: {hours: "22:00-06:00", tz: Europe/Rome}, needs: {any_of: [tools]}}
""",
        encoding="utf-8",
    )
    row = "{note: %s, messages: [{role: user, content: hi}], language: en, at: '%s', body: {%s}, want: {zone: %s}}"
    rows = [
        row % ("night", "2026-11-21T23:00:00+01:00", "tools: []", "remote"),
        row % ("morning", "2026-11-21T06:00:00+01:00", "tools: []", "local"),
        row % ("without tools", "2026-11-21T23:00:00+01:00", "", "local"),
    ]
    cases.write_text("cases:\n" + "".join(f"  - {line}\n" for line in rows), encoding="utf-8")
    results = await run_cases(policy, cases, detector=detector, scorer=scorer)
    assert [result.differences for result in results] == [(), (), ()]

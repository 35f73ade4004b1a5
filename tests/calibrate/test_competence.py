"""What was measured on the operator's own requests: no tenant speaks for the others."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.calibrate.competence import STRENGTH, Answered, Shadowed, competence, weighed
from gateway.score.calibration import Cell

PROBES = [Answered("maths", "en", right) for right in (1.0, 0.0, 0.0, 0.0)]


def maths(*shadowed: Shadowed) -> Cell:
    return competence([*PROBES, *weighed(shadowed, PROBES)])["maths"]["en"]


def of(tenant: str, times: int, agreement: float, family: str = "maths") -> list[Shadowed]:
    return [Shadowed(tenant, family, "en", agreement)] * times


def test_a_tenant_that_is_alone_speaks_for_itself() -> None:
    assert maths(*of("a", 96, 1.0)).probes == 100
    assert maths(*of("a", 96, 1.0)).share > 0.9


def test_of_several_tenants_none_counts_for_more_than_the_probes_and_all_others() -> None:
    cell = maths(*of("a", 1000, 1.0), *of("b", 4, 0.0))
    assert cell.probes == 16
    assert cell.share == pytest.approx(9 / 16, abs=0.03)


def test_a_tenant_that_asks_elsewhere_counts_as_another_one_all_the_same() -> None:
    assert maths(*of("a", 1000, 1.0), *of("b", 1, 0.0, "chat")).probes == 8


def test_tenants_that_are_of_a_size_count_in_full() -> None:
    assert maths(*of("a", 20, 1.0), *of("b", 20, 0.5)).probes == 44


def test_where_nobody_else_was_measured_a_tenant_counts_for_a_few_answers() -> None:
    rows = [*of("a", 1000, 1.0, "code"), *of("b", 4, 0.0)]
    cell = competence([*PROBES, *weighed(rows, PROBES)])["code"]["en"]
    assert cell.probes == STRENGTH
    assert cell.low < 0.55


@given(
    st.lists(st.builds(Shadowed, st.sampled_from("abc"), st.sampled_from("xy"), st.just("en"), st.floats(0, 1))),
    st.lists(st.builds(Answered, st.sampled_from("xy"), st.just("en"), st.floats(0, 1))),
)
def test_a_weight_is_a_share_of_one_answer_and_no_tenants_sum_is_above_the_others(
    rows: list[Shadowed], probes: list[Answered]
) -> None:
    answers = list(weighed(rows, probes))
    assert all(0 < each.weight <= 1 for each in answers)
    tenants = {row.tenant for row in rows}
    for family in "xy" if len(tenants) > 1 else "":
        total = len([row for row in rows if row.family == family]) + len([each for each in probes if each[0] == family])
        for tenant in tenants:
            mine = [each.weight for row, each in zip(rows, answers, strict=True) if row[:2] == (tenant, family)]
            assert sum(mine) <= max(STRENGTH, total - len(mine)) + 1e-9

"""Together or one after the other: whichever was faster when it was tried."""

from __future__ import annotations

import pytest

from gateway.engine.batch.passes import AGAIN, MOST_APART, TRIALS, Passes, Way


def run(passes: Passes, rows: int, steps: int, *, together: float, apart: float) -> list[Way]:
    ways = []
    for _ in range(steps):
        way = passes.way(rows)
        ways.append(way)
        passes.took(rows, way, apart if way is Way.APART else together)
    return ways


@pytest.mark.parametrize(("together", "apart", "chosen"), [(26, 14, Way.APART), (14, 26, Way.TOGETHER)])
def test_both_are_tried_and_the_faster_is_kept(together: float, apart: float, chosen: Way) -> None:
    ways = run(Passes(), 2, 20, together=together, apart=apart)
    assert ways[: 2 * TRIALS] == [Way.TOGETHER] * TRIALS + [Way.APART] * TRIALS
    assert set(ways[2 * TRIALS :]) == {chosen}


@pytest.mark.parametrize("rows", [1, MOST_APART + 1, 16])
def test_one_row_and_many_are_always_together(rows: int) -> None:
    assert set(run(Passes(), rows, 20, together=9, apart=1)) == {Way.TOGETHER}


def test_a_machine_that_changes_is_noticed() -> None:
    passes = Passes()
    run(passes, 4, AGAIN, together=30, apart=20)
    assert run(passes, 4, 20, together=30, apart=60)[-1] is Way.TOGETHER


def test_numbers_of_rows_are_judged_apart() -> None:
    passes = Passes()
    run(passes, 2, 20, together=26, apart=14)
    run(passes, 6, 20, together=40, apart=60)
    assert (passes.way(2), passes.way(6)) == (Way.APART, Way.TOGETHER)


def test_one_slow_step_decides_nothing() -> None:
    passes = Passes()
    passes.took(2, passes.way(2), 500)
    assert run(passes, 2, 20, together=10, apart=20)[-1] is Way.TOGETHER

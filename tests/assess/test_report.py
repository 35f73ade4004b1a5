"""Verdicts are counted per language and category, bounds are rounded up, and the table says what flatters them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.assess.report import Verdict, _percent, grouped, report, table

FACTS: dict[str, Any] = {"at": "2026-11-21T10:00:00+00:00", "policy": {"name": "p", "digest": "d"}, "pack": "f"}


def private(line: int, way: Any = "stays", **more: Any) -> Verdict:
    return Verdict(line, True, way, **more)


def clean(line: int, way: Any = "leaves", **more: Any) -> Verdict:
    return Verdict(line, False, way, **more)


def test_nothing_let_out_of_five_hundred_is_at_most_six_in_a_thousand() -> None:
    told = report([private(line) for line in range(500)], FACTS)
    (whole,) = told.as_json()["groups"]
    assert whole["private"] == {"of": 500, "let_out": 0, "at_most": 0.005974, "leaves_changed": 0}
    assert "0.6 %" in table(told)[1]


def test_every_language_every_category_and_every_pair_has_a_line_of_its_own() -> None:
    verdicts = [
        private(1, "leaves", lang="it", category="health"),
        private(2, lang="it"),
        clean(3, lang="de", hard=True),
        clean(4, "stays", category="health", hard=True),
    ]
    groups = {group.name: group for group in grouped(verdicts)}
    assert list(groups) == ["all", "de", "it", "health", "it health"]
    assert (groups["all"].private, groups["all"].let_out, groups["all"].hard, groups["all"].still) == (2, 1, 2, 1)
    assert (groups["it"].private, groups["it"].let_out, groups["it health"].private) == (2, 1, 1)
    assert (groups["health"].private, groups["health"].clean, groups["health"].still) == (1, 1, 0)


def test_what_leaves_changed_is_not_let_out() -> None:
    (whole,) = report([private(1, "changed"), private(2)], FACTS).as_json()["groups"]
    assert (whole["private"]["let_out"], whole["private"]["leaves_changed"]) == (0, 1)


def test_a_clean_request_that_is_not_hard_counts_for_nothing() -> None:
    (whole,) = report([clean(1, "stays"), clean(2, hard=True)], FACTS).as_json()["groups"]
    assert (whole["clean"]["of"], whole["clean"]["hard"], whole["clean"]["still_leave"]) == (2, 1, 1)


def test_the_lines_to_look_at_are_named() -> None:
    told = report([private(3, "leaves"), private(9, "leaves"), clean(5, "stays", hard=True)], FACTS)
    assert (told.as_json()["lines_let_out"], told.as_json()["lines_held"]) == ([3, 9], [5])
    assert "let out though private: lines 3, 9" in table(told)
    assert "clean and hard, and stays: line 5" in table(told)


def test_what_flatters_the_bound_is_said() -> None:
    told = "\n".join(table(report([private(1, late=True)], FACTS, repeated=2)))
    assert "1 not read in time" in told
    assert "2 repeated" in told


@pytest.mark.parametrize(
    ("share", "said"), [(0.005974, "0.6 %"), (0.0511, "5.2 %"), (0.1391, "14 %"), (1.0, "100 %"), (0.00001, "0.1 %")]
)
def test_a_bound_is_rounded_up(share: float, said: str) -> None:
    assert _percent(share) == said


def test_without_private_samples_there_is_no_bound() -> None:
    assert table(report([clean(1)], FACTS))[1].split()[:4] == ["all", "0", "0", "–"]

"""Which probes are asked: all task families and languages alike, or as the traffic is."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from gateway.calibrate.choose import LEAST, choose, weights_of
from gateway.calibrate.probes import load


@pytest.mark.parametrize("count", [60, 200, 300])
def test_families_languages_and_levels_are_chosen_alike(count: int) -> None:
    chosen = choose(load(), count)
    assert len({probe.id for probe in chosen}) == count
    languages = Counter(probe.lang for probe in chosen).values()
    cells = Counter((probe.family, probe.lang) for probe in chosen).values()
    assert max(languages) - min(languages) <= 12
    assert len(cells) == 60
    assert len({probe.level for probe in chosen}) == 4


def test_the_same_seed_chooses_the_same_and_another_does_not() -> None:
    assert choose(load(), 100) == choose(load(), 100)
    assert choose(load(), 100) != choose(load(), 100, seed=1)


def test_all_are_taken_where_there_are_no_more() -> None:
    assert choose(load(), 10_000) == load()


def test_fewer_probes_than_cells_are_still_so_many() -> None:
    assert len(choose(load(), 7)) == 7


def test_what_the_traffic_is_made_of_is_asked_most_and_the_rest_is_not_forgotten() -> None:
    chosen = choose(load(), 200, {("maths", "it"): 70.0, ("code", "en"): 30.0})
    cells = Counter((probe.family, probe.lang) for probe in chosen)
    assert cells["maths", "it"] == 14  # all there are
    assert cells["code", "en"] == 9
    assert min(cells.values()) >= LEAST


def test_an_audit_log_weighs_by_family_and_language() -> None:
    records: list[dict[str, Any]] = [
        {"event": "decided", "family": "maths", "language": "it"},
        {"event": "decided", "family": "maths", "language": "it"},
        {"event": "decided", "family": "code", "language": None},
        {"event": "decided"},
    ]
    assert weights_of(records) == {("maths", "it"): 2.0}

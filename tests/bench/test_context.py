"""A window that slides: its first tokens matter, and what has left it is gone."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from bench.context import stretches, tables
from bench.context_reading import Facts, perplexities, recall, text
from bench.model_files import shipped
from gateway.engine.batch.context import Context
from gateway.engine.batch.model import Model

WINDOW = 128


@pytest.fixture(scope="module")
def model() -> Iterator[Model]:
    opened = Model(shipped())
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def opened(model: Model) -> Callable[[int], Context]:
    return lambda tokens: Context(model, tokens=tokens, threads=1)


@pytest.mark.model
def test_without_its_first_tokens_a_window_loses_its_footing(model: Model, opened: Callable[[int], Context]) -> None:
    rows = {row["name"]: row["beyond"] for row in perplexities(opened, model.tokens(text())[:224], WINDOW // 2)}
    assert rows["0 sinks"] > 1.3 * rows["4 sinks"]
    assert rows["4 sinks"] == pytest.approx(rows["computed anew"], rel=0.1)
    assert rows["everything kept"] < rows["4 sinks"]


@pytest.mark.model
def test_what_has_left_the_window_is_not_known_any_more(model: Model, opened: Callable[[int], Context]) -> None:
    facts = Facts(model, model.tokens(text())[:WINDOW], seed=1, every=24)
    window, whole = opened(WINDOW), opened(1024)
    distances = (0, 240)
    slid = recall(window, facts, distances, WINDOW, questions=6)
    kept = recall(whole, facts, distances, None, questions=6)
    window.close()
    whole.close()
    assert slid[0] >= 0.5
    assert slid[240] == 0
    assert kept[240] > 0


def test_a_long_answer_is_told_in_stretches_each_with_its_own_time_and_memory() -> None:
    rows = stretches(1000.0, (10.0,) * 10 + (30.0,) * 10, [(0.0, 50.0), (1.05, 300.0), (1.35, 400.0)], parts=2)
    assert [row["until"] for row in rows] == [11, 21]
    assert [row["itl_p50_ms"] for row in rows] == [10.0, 30.0]
    assert [row["memory_mb"] for row in rows] == [300.0, 400.0]


def test_the_tables_show_every_distance_and_what_was_dropped() -> None:
    from bench.context import DISTANCES

    found = {
        "machine": {"cpu": "a CPU", "cores": 2, "python": "3.11.7"},
        "tokens": 2800,
        "perplexity": [{"name": "4 sinks", "within": 27.0, "beyond": 25.0, "cpu_s": 9.0}],
        "recall": {
            "window": {str(far): 0.5 for far in DISTANCES},
            "everything kept": {str(far): 0.9 for far in DISTANCES},
        },
        "conversation": {
            "tokens": 20000,
            "dropped": 18000,
            "finish": "length",
            "stretches": stretches(1.0, (10.0,) * 20, [(0.0, 300.0)], parts=5),
        },
    }
    said = tables(found)
    assert "| 4 sinks | 27.00 | 25.00 | 9.0 s |" in said
    assert "18000 dropped" in said
    assert said.count("50%") == len(DISTANCES)

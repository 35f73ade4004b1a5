"""Drawing: the filters are llama.cpp's, and what is left out of sight could not have been drawn."""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from llama_cpp import llama_cpp as lib
from numpy.typing import NDArray

from gateway.engine.ask import Ask
from gateway.engine.sampling.choice import Choice, largest

Row = NDArray[np.float32]
DRAWS = 1500


def by_llama(row: Row, ask: Ask) -> dict[int, float]:
    """Probabilities of what llama.cpp's own chain leaves."""
    chain = lib.llama_sampler_chain_init(lib.llama_sampler_chain_default_params())
    for sampler in (
        lib.llama_sampler_init_top_k(ask.top_k),
        lib.llama_sampler_init_top_p(ask.top_p, 1),
        lib.llama_sampler_init_min_p(ask.min_p, 1),
        lib.llama_sampler_init_temp(ask.temperature),
        lib.llama_sampler_init_dist(1),
    ):
        lib.llama_sampler_chain_add(chain, sampler)
    data: Any = (lib.llama_token_data * len(row))()
    for token, logit in enumerate(row):
        data[token].id, data[token].logit = token, logit
    array = lib.llama_token_data_array(data=data, size=len(row), selected=-1, sorted=False)
    lib.llama_sampler_apply(chain, ctypes.byref(array))
    lib.llama_sampler_free(chain)
    kept = [data[at] for at in range(array.size)]
    return {one.id: one.p for one in kept}


def rows(kind: str) -> Row:
    chance = np.random.default_rng(5)
    shapes: dict[str, Callable[[], Any]] = {
        "peaked": lambda: chance.normal(0, 4, 3000),
        "flat": lambda: chance.normal(0, 0.3, 3000),
        "far apart": lambda: np.arange(0, 3000, 30.0)[::-1],
        "alike": lambda: np.repeat([3.0, 1.0, 0.5], 40),
        "one": lambda: [0.0, 50.0, -3.0],
    }
    row: Row = np.asarray(shapes[kind](), dtype=np.float32)
    return row


ASKS = {
    "defaults": Ask(),
    "top_k": Ask(temperature=1, top_k=7, top_p=1, min_p=0),
    "top_p": Ask(temperature=1, top_k=0, top_p=0.7, min_p=0),
    "min_p": Ask(temperature=1.5, top_k=0, top_p=1, min_p=0.2),
    "all": Ask(temperature=0.7, top_k=20, top_p=0.8, min_p=0.1),
    "hot": Ask(temperature=2, top_k=40, top_p=0.95, min_p=0.01),
    "nothing but the first": Ask(temperature=1, top_p=0),
}


@pytest.mark.parametrize("kind", ["peaked", "far apart", "alike", "one"])
@pytest.mark.parametrize("name", ASKS)
def test_draws_are_those_of_llama_cpp(kind: str, name: str) -> None:
    row, ask = rows(kind), ASKS[name]
    expected = by_llama(row, ask)
    choice = Choice(ask, 3)
    drawn = Counter(choice.of(row) for _ in range(DRAWS))
    if kind != "alike":  # of equal ones each of the two may keep others
        assert set(drawn) <= set(expected)
        for token, share in expected.items():
            assert drawn[token] / DRAWS == pytest.approx(share, abs=5 * math.sqrt(share * (1 - share) / DRAWS) + 1e-3)
    else:
        assert sorted(Counter(row[token] for token in drawn)) == sorted({row[token] for token in expected})


def test_a_flat_row_is_drawn_from_all_over() -> None:
    row = rows("flat")
    choice = Choice(Ask(temperature=1, top_k=0, top_p=1, min_p=0), 3)
    assert len({choice.of(row) for _ in range(DRAWS)}) > 1000


def test_temperature_nought_takes_the_first_of_the_largest() -> None:
    assert Choice(Ask(temperature=0), 1).of(np.array([1, 3, 3, -math.inf], dtype=np.float32)) == 1


@pytest.mark.parametrize("ask", ASKS.values(), ids=ASKS.keys())
def test_a_seed_draws_the_same_again_and_another_one_something_else(ask: Ask) -> None:
    row = np.random.default_rng(2).normal(0, 1, 500).astype(np.float32)
    one, same, other = (
        [choice.of(row) for _ in range(40)] for choice in (Choice(ask, 1), Choice(ask, 1), Choice(ask, 2))
    )
    assert one == same
    assert (one == other) == (ask.top_p == 0)


@pytest.mark.parametrize("ask", [*ASKS.values(), Ask(temperature=1, top_k=0, top_p=1, min_p=0)])
def test_a_ban_is_never_drawn(ask: Ask) -> None:
    row = np.array([-math.inf, 0.0, -math.inf, 1.0], dtype=np.float32)
    choice = Choice(ask, 4)
    assert {choice.of(row) for _ in range(200)} <= {1, 3}


@given(st.lists(st.floats(-60, 60, width=32), min_size=1, max_size=80), st.integers(1, 90))
def test_the_largest_are_the_largest(values: list[float], count: int) -> None:
    row = np.array(values, dtype=np.float32)
    found = largest(row, count)
    assert found.tolist() == sorted(range(len(row)), key=lambda at: (-row[at], at))[:count]


def test_the_largest_of_a_large_row_are_sorted_out_alike() -> None:
    row = np.random.default_rng(1).integers(0, 50, 20_000).astype(np.float32)
    for count in (1, 40, 300, 5000):
        assert largest(row, count).tolist() == np.lexsort((np.arange(len(row)), -row))[:count].tolist()

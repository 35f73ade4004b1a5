"""What ends an answer that would not end by itself."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway.engine.batch.rows import LOOP_PERIOD, LOOP_TOKENS, loops
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.local import LocalEngine
from gateway.engine.options import EngineOptions


@pytest.mark.parametrize("period", [1, 3, LOOP_PERIOD])
def test_the_same_few_tokens_over_and_over_are_a_loop(period: int) -> None:
    assert loops(deque([n % period for n in range(LOOP_TOKENS)], maxlen=LOOP_TOKENS))


@pytest.mark.parametrize(
    "tokens",
    [
        [0] * (LOOP_TOKENS - 1),
        list(range(LOOP_TOKENS)),
        [7, *[0] * (LOOP_TOKENS - 1)],
        [n % (LOOP_PERIOD + 1) for n in range(LOOP_TOKENS)],
    ],
    ids=["too few", "all different", "not all of it", "too long a run"],
)
def test_anything_else_is_none(tokens: list[int]) -> None:
    assert not loops(deque(tokens, maxlen=LOOP_TOKENS))


@pytest.fixture(scope="module")
async def engine(model: ModelFile, tools: Any) -> AsyncIterator[LocalEngine]:
    async with tools.running(LocalEngine(model, EngineOptions(context=512, max_tokens=5))) as started:
        yield started


@pytest.mark.anyio
async def test_a_model_that_runs_in_circles_is_stopped_and_says_length(engine: LocalEngine, tools: Any) -> None:
    # Only one token is left to say: the answer is that token for ever.
    said = await tools.say(engine, "Count.", temperature=0, logit_bias={"33": 100}, max_tokens=400)
    assert said.finishes[0] == ["length"]
    assert said.usage.completion_tokens == LOOP_TOKENS


@pytest.mark.anyio
async def test_an_answer_without_a_limit_gets_the_operators(engine: LocalEngine, tools: Any) -> None:
    said = await tools.say(engine, "Tell a long story.")
    longer = await tools.say(engine, "Tell a long story.", max_tokens=9, temperature=0)
    assert (said.finishes[0], said.usage.completion_tokens) == (["length"], 5)
    assert longer.usage.completion_tokens == 9

"""The real model's first tokens held, judged, given or left, down the whole line."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from gateway.cascade import CalibratedCascade, Head
from gateway.cascade.signs import NAMES
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.local import LocalEngine
from gateway.engine.options import EngineOptions
from tests.support.line import FixedScorer, Line, Lines, asking, text_of

pytestmark = [pytest.mark.anyio, pytest.mark.model]

QUESTION = "What is the capital of France?"


@pytest.fixture(scope="module")
async def engine(model: ModelFile, tools: Any) -> AsyncIterator[LocalEngine]:
    async with tools.running(LocalEngine(model, EngineOptions(context=512, parallel=1, isolation="thread"))) as engine:
        yield engine


def drafting(folder: Path, engine: LocalEngine, intercept: float) -> Line:
    """A head that says the same to everything."""
    nothing, one = (0.0,) * len(NAMES), (1.0,) * len(NAMES)
    cascade = CalibratedCascade(
        Head(intercept, nothing, nothing, one, 12), band=(0.45, 0.65), most_tokens=24, most_s=30.0
    )
    return Lines(folder, cascade=cascade)(local=engine, scorer=FixedScorer(0.52))


async def test_a_draft_that_is_left_frees_the_model_and_its_figures_are_recorded(
    tmp_path: Path, engine: LocalEngine
) -> None:
    line = drafting(tmp_path, engine, 0.9)
    _, chunks = await line.ask(asking("Tell a story of a hundred words.", max_tokens=400))
    assert text_of(chunks) == "Hello."
    shown = line.audit.records[1].facts["draft"]
    assert (shown["tokens"], shown["confidence"]["tokens"], shown["error"]) == (12, 12, None)
    assert shown["confidence"]["mean_logprob"] < 0
    assert line.outcome.draft_tokens == 12
    with anyio.fail_after(90):
        while engine.waiting:
            await anyio.sleep(0.01)


async def test_a_draft_that_stays_is_the_answer_that_the_model_would_have_given(
    tmp_path: Path, engine: LocalEngine
) -> None:
    drafted, plain = drafting(tmp_path, engine, 0.1), Lines(tmp_path)(local=engine, scorer=FixedScorer(0.52))
    texts = []
    for line in (drafted, plain):
        reply, chunks = await line.ask(asking(QUESTION, temperature=0, max_tokens=40))
        texts.append(text_of(chunks))
        assert reply.way.backend == "local"
        assert chunks[-1].usage is not None
    assert texts[0] == texts[1]
    assert "Paris" in texts[0]
    assert [line.outcome.draft for line in (drafted, plain)] == ["given", ""]

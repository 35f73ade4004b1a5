"""A prompt near the local model's limit is counted in its own tokens; every other one is estimated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from gateway.core.types import BackendSpec, Zone
from gateway.score.counting import Counting
from gateway.score.needs import needs_of

pytestmark = pytest.mark.anyio
LOCAL = BackendSpec("local", Zone.LOCAL, "llama", "tiny", context=1000)


def body(words: int, **more: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "word " * words}], **more}


@dataclass
class Engine:
    """Counts as it is told to."""

    tokens: int = 900
    takes_s: float = 0.0
    fails: bool = False
    asked: list[Mapping[str, Any]] = field(default_factory=list)

    async def __call__(self, asked: Mapping[str, Any]) -> int:
        self.asked.append(asked)
        await anyio.sleep(self.takes_s)
        if self.fails:
            raise RuntimeError("the engine is gone")
        return self.tokens


@pytest.mark.parametrize(
    ("request_body", "counted"),
    [
        (body(50), False),
        (body(440), False),
        (body(700), True),
        (body(960), True),
        (body(1100), False),
        (body(300, max_tokens=600), True),
        (body(300, max_tokens=100), False),
        (body(300, max_tokens=5000), False),
        (body(900, max_tokens=5000), True),
    ],
    ids=[
        "short",
        "clear",
        "near",
        "nearer",
        "far over",
        "near with its answer",
        "clear with its answer",
        "no room",
        "no room and near",
    ],
)
async def test_only_what_lies_near_the_limit_is_counted(request_body: dict[str, Any], counted: bool) -> None:
    engine = Engine()
    needs, tokens = await Counting(LOCAL, engine).needs(request_body)
    estimate, estimated = needs_of(request_body)
    assert bool(engine.asked) == counted
    assert tokens == (900 if counted else estimated)
    assert needs.context - tokens == max(int(counted), estimate.context - estimated)


@pytest.mark.parametrize(("tokens", "fits"), [(999, True), (1000, False)])
async def test_the_count_decides_whether_it_fits(tokens: int, fits: bool) -> None:
    needs, _ = await Counting(LOCAL, Engine(tokens)).needs(body(790))
    assert (LOCAL.can(needs) is None) == fits


@pytest.mark.parametrize("engine", [None, Engine(fails=True), Engine(takes_s=5)], ids=["none", "fails", "slow"])
async def test_without_an_answer_the_estimate_stands(engine: Engine | None) -> None:
    assert await Counting(LOCAL, engine, wait_s=0.01).needs(body(900)) == needs_of(body(900))


async def test_a_crowd_is_estimated() -> None:
    engine = Engine(takes_s=0.05)
    counting = Counting(LOCAL, engine, wait_s=5)
    async with anyio.create_task_group() as tasks:
        for _ in range(30):
            tasks.start_soon(counting.needs, body(900))
    assert len(engine.asked) == 8
    await counting.needs(body(900))
    assert len(engine.asked) == 9


async def test_what_the_model_cannot_see_is_not_counted() -> None:
    engine = Engine()
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA"}}
    asked = {"messages": [{"role": "user", "content": [{"type": "text", "text": "word " * 100}, picture]}]}
    assert (await Counting(LOCAL, engine).needs(asked))[0].image
    assert engine.asked == []

"""A request rewritten at home: what may leave instead of it, and how the answer comes about."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import suppress
from typing import Any

import anyio
import pytest

from gateway.core.errors import DeadlineExceeded, EgressDenied, LocalUnavailable
from gateway.core.types import BackendSpec, Chunk, Decision, Pieces, Request, Usage, Zone
from gateway.transform import Rewrite
from tests.support.models import default_model

pytestmark = pytest.mark.anyio

EMAIL = "anna.verdi@posta-aziendale.it"
ASKED = f"Write to my landlord at {EMAIL} that the heating is broken."
CLEAN = "Write a short letter to a landlord about a broken heating."


class Model:
    """A local model with opinions: answers what it was told to, in order, and remembers what it was asked."""

    spec = BackendSpec("local", Zone.LOCAL, "canned", "tiny")
    honours = frozenset({"messages", "max_tokens", "temperature", "stop"})

    def __init__(self, *answers: str | Exception, finish: str = "stop", pause_s: float = 0.0) -> None:
        self.answers = list(answers)
        self.asked: list[Request] = []
        self.finish = finish
        self.pause_s = pause_s

    async def stream(self, request: Request, decision: Decision) -> AsyncGenerator[Pieces, None]:
        assert decision.zone is Zone.LOCAL
        assert request.local_only
        self.asked.append(request)
        answer = self.answers.pop(0)
        await anyio.sleep(self.pause_s)
        if isinstance(answer, Exception):
            raise answer
        for word in answer.split(" "):
            yield [Chunk(0, {"content": f"{word} "})]
        yield [Chunk(0, {}, self.finish), Chunk(usage=Usage(10, 5))]


async def test_the_rewrite_alone_goes_out_and_the_answer_is_made_at_home(tools: Any, scanner: Any) -> None:
    model = Model(f'"{CLEAN}"', f"Dear landlord at {EMAIL}")
    request = tools.request(ASKED, temperature=0.3, user="u", stop=["secret word"], metadata={"a": "b"})
    done = await tools.apply(Rewrite(model, scanner), scanner, request)
    assert done.request.body == {"model": "large", "temperature": 0.3, "messages": [{"role": "user", "content": CLEAN}]}
    chunks = await tools.through(
        done.restore, [[Chunk(0, {"content": "Dear Sir, "})], [Chunk(0, {}, "stop"), Chunk(usage=Usage(7, 3))]]
    )
    assert tools.text(chunks).strip() == f"Dear landlord at {EMAIL}"
    assert [chunk.usage for chunk in chunks if chunk.usage] == [Usage(17, 8)]
    composed = model.asked[1].body["messages"]
    assert composed[0]["content"].endswith("Draft:\nDear Sir, ")
    assert composed[1:] == request.body["messages"]


async def test_what_was_said_before_is_given_to_the_local_model(tools: Any, scanner: Any) -> None:
    model = Model(CLEAN)
    messages = [
        {"role": "user", "content": "I rent a flat"},
        {"role": "assistant", "content": "I see"},
        {"role": "user", "content": ASKED},
    ]
    await tools.apply(Rewrite(model, scanner), scanner, tools.request(messages))
    asked = model.asked[0].body["messages"][1]["content"]
    assert "user: I rent a flat\nassistant: I see" in asked
    assert asked.endswith(ASKED)


@pytest.mark.parametrize(
    "answer",
    [
        f"Write to {EMAIL} about the heating.",
        "Write to Anna.Verdi@Posta-Aziendale.IT about it.",
        "Call +39 346 507 5291 about the heating.",
        "",
        "  ",
        "I'm sorry, but I can't help with that.",
        "Mi dispiace, non posso.",
        LocalUnavailable("the engine is gone"),
    ],
    ids=["leaks", "leaks in capitals", "makes up a value", "empty", "blank", "refuses", "refuses in Italian", "fails"],
)
async def test_a_rewrite_that_will_not_do_keeps_the_request_at_home(tools: Any, scanner: Any, answer: Any) -> None:
    with pytest.raises(EgressDenied) as denied:
        await tools.apply(Rewrite(Model(answer), scanner), scanner, tools.request(ASKED))
    assert EMAIL not in str(denied.value)


async def test_what_the_detector_overlooks_in_the_rewrite_is_still_compared(tools: Any) -> None:
    detector = tools.detector({"Giulia Moretti": ("person", "person")})
    with pytest.raises(EgressDenied):
        await tools.apply(
            Rewrite(Model("Ask GIULIA  MORETTI"), detector), detector, tools.request("I am Giulia Moretti")
        )


@pytest.mark.parametrize("category", ["health", "special", "minor", "legal", "confidential"])
async def test_a_topic_that_shows_in_the_rewrite_keeps_the_request_at_home(tools: Any, category: str) -> None:
    detector = tools.detector({"burnout": ("fact", category), "exhaustion": ("fact", category)})
    with pytest.raises(EgressDenied):
        await tools.apply(Rewrite(Model("Help with exhaustion"), detector), detector, tools.request("I have burnout"))
    done = await tools.apply(Rewrite(Model("How to rest well"), detector), detector, tools.request("I have burnout"))
    assert done.request.body["messages"][0]["content"] == "How to rest well"


async def test_a_rewrite_that_was_cut_off_or_takes_too_long_keeps_the_request_at_home(tools: Any, scanner: Any) -> None:
    for transform in (
        Rewrite(Model(CLEAN, finish="length"), scanner),
        Rewrite(Model(CLEAN, pause_s=5), scanner, rewrite_s=0.05),
    ):
        with pytest.raises(EgressDenied):
            await tools.apply(transform, scanner, tools.request(ASKED))


@pytest.mark.parametrize(
    "more",
    [{"tools": [{"type": "function"}]}, {"response_format": {"type": "json_object"}}, {"n": 2}, {"logprobs": True}],
    ids=["tools", "response_format", "n", "logprobs"],
)
async def test_a_request_that_asks_for_more_than_text_stays(tools: Any, scanner: Any, more: Any) -> None:
    model = Model(CLEAN)
    with pytest.raises(EgressDenied):
        await tools.apply(Rewrite(model, scanner), scanner, tools.request(ASKED, **more))
    assert not model.asked


async def test_another_models_thinking_is_no_part_of_what_is_rewritten(tools: Any, scanner: Any) -> None:
    sealed = {"type": "encrypted_reasoning", "text": "EqQBCgIYAhIk", "data": "EqQBCgIYAhIk"}
    thought = {"type": "thinking", "thinking": "So Paris.", "signature": "EqQBCgIYAhIk"}
    messages = [{"role": "user", "content": [sealed, thought, {"type": "text", "text": ASKED}]}]
    model = Model(CLEAN)
    request = tools.request("", messages=messages)
    await tools.apply(Rewrite(model, scanner), scanner, request)
    assert model.asked[0].body["messages"][-1]["content"] == ASKED


async def test_a_request_with_an_image_or_without_a_question_stays(tools: Any, scanner: Any) -> None:
    image = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}}]}]
    for messages in (image, [{"role": "system", "content": "x"}]):
        with pytest.raises(EgressDenied):
            await tools.apply(Rewrite(Model(CLEAN), scanner), scanner, tools.request(messages))


async def test_a_final_answer_that_takes_too_long_is_an_error(tools: Any, scanner: Any) -> None:
    model = Model(CLEAN, "never")
    done = await tools.apply(Rewrite(model, scanner, compose_s=0.05), scanner, tools.request(ASKED))
    model.pause_s = 5
    with pytest.raises(DeadlineExceeded):
        await tools.through(done.restore, [[Chunk(0, {"content": "x"}, "stop")]])


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.model
async def test_a_real_small_model_can_be_asked_and_what_it_leaks_stays(tools: Any, scanner: Any) -> None:
    from gateway.engine.local import LocalEngine
    from gateway.engine.options import EngineOptions

    engine = LocalEngine(default_model(), EngineOptions(context=1024, threads=1, queue=3))
    async with anyio.create_task_group() as tasks:
        await tasks.start(engine.run)
        transform = Rewrite(engine, scanner, rewrite_s=60)
        left = ""
        with suppress(EgressDenied):
            left = str((await tools.apply(transform, scanner, tools.request(ASKED, max_tokens=24))).request.body)
        assert EMAIL not in left
        text = await transform.rewritten(tools.request("Name three colours of the rainbow."))
        assert text
        done = await tools.apply(transform, tools.words(), tools.request("Name three colours.", max_tokens=24))
        chunks = await tools.through(done.restore, [[Chunk(0, {"content": "Red, green, blue."}, "stop")]])
        assert tools.text(chunks).strip()
        assert sum(chunk.finish is not None for chunk in chunks) == 1
        tasks.cancel_scope.cancel()

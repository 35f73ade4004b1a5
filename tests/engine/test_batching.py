"""Many requests at once through one engine: each gets what it would get alone, and none holds up or changes another."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import anyio
import pytest

from gateway.core.errors import BackendBroke, ContextTooLong, DeadlineExceeded, GatewayError, QueueFull
from gateway.core.types import Principal, Usage
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.local import LocalEngine
from gateway.engine.options import EngineOptions

pytestmark = [pytest.mark.anyio, pytest.mark.model]

ENDLESS: dict[str, Any] = {"logit_bias": {"2": -100, "0": -100}, "max_tokens": 900}
"""An answer that does not end by itself."""
PLACES = 4


@pytest.fixture(scope="module")
async def engine(model: ModelFile, tools: Any) -> AsyncIterator[LocalEngine]:
    async with tools.running(
        LocalEngine(model, EngineOptions(context=1024, threads=1, parallel=PLACES, queue=12, encode="auto"))
    ) as started:
        yield started


@asynccontextmanager
async def another(model: ModelFile, tools: Any, **options: Any) -> AsyncIterator[LocalEngine]:
    defaults: dict[str, Any] = {"context": 512, "threads": 1, "parallel": 2, "encode": "auto"}
    async with tools.running(LocalEngine(model, EngineOptions(**(defaults | options)))) as started:
        yield started


async def together(asks: list[Callable[[], Awaitable[Any]]]) -> list[Any]:
    """All results, in the order of `asks`."""
    said: dict[int, Any] = {}

    async def one(number: int) -> None:
        said[number] = await asks[number]()

    async with anyio.create_task_group() as tasks:
        for number in range(len(asks)):
            tasks.start_soon(one, number)
    return [said[number] for number in range(len(asks))]


@dataclass
class Flow:
    """A stream read by a task of its own."""

    pieces: int = 0
    text: str = ""
    finish: str | None = None
    usage: Usage | None = None
    error: Exception | None = None
    begun: anyio.Event = field(default_factory=anyio.Event)
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    async def read(self, engine: LocalEngine, tools: Any, text: str | list[Any], tenant: str, body: Any) -> None:
        asked = replace(tools.request(text, **body), principal=Principal(tenant))
        with self.scope:
            try:
                async with aclosing(engine.stream(asked, tools.decision)) as answer:
                    async for pieces in answer:
                        for chunk in pieces:
                            self.text += chunk.delta.get("content", "")
                            self.finish = chunk.finish or self.finish
                            self.usage = chunk.usage or self.usage
                        self.pieces += 1
                        self.begun.set()
            except GatewayError as error:
                self.error = error
                self.begun.set()


class Flows:
    def __init__(self, engine: LocalEngine, tools: Any, tasks: anyio.abc.TaskGroup) -> None:
        self._engine, self._tools, self._tasks = engine, tools, tasks

    def start(self, text: str | list[Any], tenant: str = "a", **body: Any) -> Flow:
        flow = Flow()
        self._tasks.start_soon(flow.read, self._engine, self._tools, text, tenant, body)
        return flow


@asynccontextmanager
async def flows(engine: LocalEngine, tools: Any) -> AsyncIterator[Flows]:
    """Streams that end with the block; afterwards nobody is with the model."""
    async with anyio.create_task_group() as tasks:
        yield Flows(engine, tools, tasks)
        tasks.cancel_scope.cancel()
    await until(lambda: engine.waiting == 0)


async def until(true: Callable[[], bool], within_s: float = 90) -> None:
    with anyio.fail_after(within_s):
        while not true():
            await anyio.sleep(0.005)


# ── Each as if alone ────────────────────────────────────────────────────────────────────────────────────────────────

QUESTIONS = {
    "What is the capital of France?": "Paris",
    "What is the capital of Italy?": "Rome",
    "What is the capital of Japan?": "Tokyo",
    "What is the capital of Canada?": "Ottawa",
    "What is the capital of Germany?": "Berlin",
    "What is the capital of Spain?": "Madrid",
    "What is the capital of Egypt?": "Cairo",
    "Who wrote Romeo and Juliet?": "Shakespeare",
}


async def test_eight_at_once_answer_as_each_does_alone(engine: LocalEngine, tools: Any) -> None:
    def ask(text: str) -> Callable[[], Awaitable[Any]]:
        return lambda: tools.say(engine, text, temperature=0, max_tokens=12)

    alone = [(await ask(text)()).text for text in QUESTIONS]
    at_once = [said.text for said in await together([ask(text) for text in QUESTIONS])]
    # Sums of floats on another processor or in batches of other sizes may tip one choice between equals; never many.
    for answers in (alone, at_once):
        assert sum(text in answer for text, answer in zip(QUESTIONS.values(), answers, strict=True)) >= 7
    assert sum(one == other for one, other in zip(alone, at_once, strict=True)) >= 6


async def test_parameters_of_one_batch_do_not_mix(engine: LocalEngine, tools: Any) -> None:
    asked = "What is the capital of France?"
    place = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"enum": ["Lyon", "Turin"]}}}
    bodies: list[dict[str, Any]] = [
        {"temperature": 0, "stop": "Paris"},
        {"temperature": 0, "logit_bias": {"504": -100}, "max_tokens": 1},
        {"temperature": 0, "response_format": place},
        {"temperature": 0, "logprobs": True, "top_logprobs": 2, "max_tokens": 5},
        {"temperature": 1.5, "seed": 11, "max_tokens": 12, "n": 2},
        {"temperature": 0, "max_tokens": 3},
        {"temperature": 0, "frequency_penalty": 2, "presence_penalty": 2, "max_tokens": 30},
        {"temperature": 0},
    ]
    asks = [lambda body=body: tools.say(engine, asked, **body) for body in bodies]
    stopped, biased, chosen, sure, two, short, _, plain = await together(asks)
    assert plain.text.startswith("The capital of France is Paris")
    assert stopped.text == "The capital of France is "
    assert biased.text == "La"
    assert json.loads(chosen.text) in ("Lyon", "Turin")
    assert [len(entry["top_logprobs"]) for entry in sure.logprobs] == [2] * 5
    assert b"".join(bytes(entry["bytes"]) for entry in sure.logprobs).decode() == sure.text
    assert list(two.texts) == [0, 1]
    assert two.texts[0] != two.texts[1]
    assert short.usage.completion_tokens == 3
    assert short.finishes == {0: ["length"]}
    assert [said.logprobs for said in (plain, short, chosen)] == [[], [], []]


async def test_a_seed_gives_the_same_answer_whoever_else_is_there_in_its_first_words(
    engine: LocalEngine, tools: Any
) -> None:
    async def story() -> str:
        said = await tools.say(engine, "Tell me a story.", seed=7, temperature=1, max_tokens=4)
        text: str = said.text
        return text

    alone = await story()
    async with flows(engine, tools) as started:
        others = [started.start(f"Count the {thing}.", **ENDLESS) for thing in ("birds", "ships")]
        for other in others:
            await other.begun.wait()
        assert await story() == alone


async def test_three_choices_beside_others_are_three_whole_answers(engine: LocalEngine, tools: Any) -> None:
    async with flows(engine, tools) as started:
        other = started.start("Count the birds.", **ENDLESS)
        await other.begun.wait()
        said = await tools.say(engine, "Name an animal.", n=3, temperature=1.3, max_tokens=6)
    assert sorted(said.texts) == [0, 1, 2]
    assert all(len(finishes) == 1 for finishes in said.finishes.values())
    assert said.usage.completion_tokens <= 18


async def test_more_choices_than_places_are_all_answered(engine: LocalEngine, tools: Any) -> None:
    said = await tools.say(engine, "Name an animal.", n=2 * PLACES + 1, temperature=1.3, max_tokens=4)
    assert sorted(said.finishes) == list(range(2 * PLACES + 1))


async def test_choices_share_their_prompt(engine: LocalEngine, tools: Any) -> None:
    """Four choices of a long prompt take hardly longer to begin than one: told by counting steps of another stream."""
    prompt = "Sum up: " + "one thing and another. " * 50
    async with flows(engine, tools) as started:
        other = started.start("Count the birds.", **ENDLESS)
        await other.begun.wait()

        async def pieces_until_it_begins(n: int) -> int:
            asked = tools.request(f"{n} {prompt}", n=n, max_tokens=1)
            before = other.pieces
            async with aclosing(engine.stream(asked, tools.decision)) as answer:
                async for _ in answer:
                    pass
            return other.pieces - before

        one, three = await pieces_until_it_begins(1), await pieces_until_it_begins(3)
    assert three < 2 * max(one, 6) + 6


# ── Leaving ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_who_leaves_leaves_the_others_as_they_were(engine: LocalEngine, tools: Any) -> None:
    asked = "What is the capital of France?"
    whole = (await tools.say(engine, asked, temperature=0)).text
    async with flows(engine, tools) as started:
        leaving = [started.start(f"Count the {thing}.", **ENDLESS) for thing in ("birds", "ships", "towns")]
        for flow in leaving:
            await flow.begun.wait()
        before = engine.cancelled
        staying = started.start(asked, temperature=0)
        leaving[0].scope.cancel()
        await staying.begun.wait()
        leaving[1].scope.cancel()
        await until(lambda: staying.usage is not None)
        assert staying.text == whole
        await until(lambda: engine.cancelled >= before + 2)
        still = leaving[2].pieces
        await until(lambda: leaving[2].pieces > still + 2)


async def test_when_all_leave_in_the_middle_of_a_long_prompt_the_next_one_begins_at_once(
    engine: LocalEngine, tools: Any
) -> None:
    before = engine.cancelled
    async with flows(engine, tools) as started:
        for number in range(PLACES):
            started.start(f"{number} " + "word " * 900, max_tokens=1)
        await until(lambda: engine.waiting == PLACES)
        await anyio.sleep(0.05)
    await until(lambda: engine.cancelled >= before + PLACES)
    assert (await tools.say(engine, "Hi", max_tokens=1)).finishes == {0: ["length"]}


async def test_leaving_while_waiting_frees_the_place_in_the_queue(engine: LocalEngine, tools: Any) -> None:
    async with flows(engine, tools) as started:
        running = [started.start(f"Count the {thing}.", **ENDLESS) for thing in ("birds", "ships", "towns", "days")]
        for flow in running:
            await flow.begun.wait()
        waiting = [started.start("Hi", max_tokens=2) for _ in range(6)]
        await until(lambda: engine.waiting == PLACES + 6)
        for flow in waiting[:5]:
            flow.scope.cancel()
        await until(lambda: engine.waiting == PLACES + 1)
        running[0].scope.cancel()
        await until(lambda: waiting[5].usage is not None)
        assert [flow.pieces for flow in waiting[:5]] == [0] * 5


async def test_coming_and_going_at_random_loses_nobody(engine: LocalEngine, tools: Any) -> None:
    """Forty requests, every third of which leaves after a while, some before they begin."""
    ended: list[int] = []

    async def one(number: int) -> None:
        with anyio.move_on_after(0.02 * number if number % 3 == 0 else None):
            said = await tools.say(engine, f"Tell me about the number {number}.", max_tokens=1 + number % 7)
            assert said.usage is not None
            ended.append(number)

    limiter = anyio.CapacityLimiter(PLACES + 8)

    async def in_turn(number: int) -> None:
        async with limiter:
            await one(number)

    async with anyio.create_task_group() as tasks:
        for number in range(40):
            tasks.start_soon(in_turn, number)
    await until(lambda: engine.waiting == 0)
    assert {number for number in range(40) if number % 3} <= set(ended)


# ── Dying ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_when_the_child_dies_what_had_begun_breaks_and_what_waited_is_answered(
    model: ModelFile, tools: Any
) -> None:
    async with another(model, tools) as engine, flows(engine, tools) as started:
        begun = [started.start(f"Count the {thing}.", **ENDLESS) for thing in ("birds", "ships")]
        for flow in begun:
            await flow.begun.wait()
        waiting = [started.start(f"Say {number}.", max_tokens=3) for number in range(4)]
        await until(lambda: engine.waiting == 6)
        child = engine.pid
        assert child is not None
        os.kill(child, signal.SIGKILL)
        await until(lambda: all(flow.error is not None for flow in begun))
        assert {type(flow.error) for flow in begun} == {BackendBroke}
        await until(lambda: all(flow.usage is not None for flow in waiting))
        assert engine.restarts == 1
        assert engine.waiting == 0


# ── The queue ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_beyond_the_queue_is_a_refusal_that_says_when_to_come_back(engine: LocalEngine, tools: Any) -> None:
    async with flows(engine, tools) as started:
        for number in range(PLACES + 12):
            started.start(f"Count the birds, {number}.", **ENDLESS)
        await until(lambda: engine.waiting == PLACES + 12)
        with pytest.raises(QueueFull) as refused:
            await tools.say(engine, "Hi")
        assert refused.value.retry_after_s is not None
        assert 1 <= refused.value.retry_after_s <= 60
    assert (await tools.say(engine, "Hi", max_tokens=1)).usage is not None


async def test_one_tenant_does_not_keep_another_waiting(model: ModelFile, tools: Any) -> None:
    async with another(model, tools, queue=12, share=8) as engine, flows(engine, tools) as started:
        many = [
            started.start(f"Count to {number} thousand.", "many", **ENDLESS | {"max_tokens": 15}) for number in range(8)
        ]
        await many[0].begun.wait()
        single = started.start("Hi", "single", max_tokens=2)
        await until(lambda: single.usage is not None)
        assert sum(flow.usage is not None for flow in many) <= 4, "it passed most of those that came before it"
        await until(lambda: all(flow.usage is not None for flow in many))


async def test_a_tenants_share_of_the_queue_is_all_it_gets(model: ModelFile, tools: Any) -> None:
    async with another(model, tools, queue=8, share=2) as engine, flows(engine, tools) as started:
        for number in range(4):
            started.start(f"Count, {number}.", "many", **ENDLESS)
        await until(lambda: engine.waiting == 4)
        refused = started.start("Hi", "many")
        await until(lambda: refused.error is not None)
        assert isinstance(refused.error, QueueFull)
        assert "this tenant" in str(refused.error)
        welcome = started.start("Hi", "other", max_tokens=2)
        await until(lambda: engine.waiting == 5)
        assert welcome.error is None


async def test_who_waits_longer_than_wait_s_is_refused_and_the_others_go_on(model: ModelFile, tools: Any) -> None:
    async with another(model, tools, parallel=1, wait_s=1.5) as engine, flows(engine, tools) as started:
        running = started.start("Count the birds.", **ENDLESS)
        await running.begun.wait()
        late = started.start("Hi")
        await until(lambda: late.error is not None)
        assert isinstance(late.error, QueueFull)
        assert late.error.retry_after_s is not None
        pieces = running.pieces
        await until(lambda: running.pieces > pieces)
        assert engine.waiting == 1


async def test_an_answer_longer_than_answer_s_is_cut_and_its_place_is_free(model: ModelFile, tools: Any) -> None:
    async with another(model, tools, context=2048, parallel=1, answer_s=2.0) as engine, flows(engine, tools) as started:
        long = started.start("Count the birds.", **ENDLESS | {"max_tokens": 1900, "temperature": 1.5})
        await until(lambda: long.error is not None or long.usage is not None)
        assert isinstance(long.error, DeadlineExceeded)
        assert long.pieces > 0
        await until(lambda: engine.cancelled == 1)
        assert (await tools.say(engine, "Hi", max_tokens=1)).usage is not None


# ── Long prompts ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_streams_flow_on_while_a_long_prompt_is_read(engine: LocalEngine, tools: Any) -> None:
    async with flows(engine, tools) as started:
        streams = [started.start(f"Count the {thing}.", **ENDLESS) for thing in ("birds", "ships")]
        for stream in streams:
            await until(lambda stream=stream: stream.pieces >= 3)
        before = [stream.pieces for stream in streams]
        long = started.start("word " * 600, max_tokens=2)
        await until(lambda: long.usage is not None)
        gained = [stream.pieces - was for stream, was in zip(streams, before, strict=True)]
    assert long.usage is not None
    assert long.usage.prompt_tokens > 600
    assert min(gained) >= 4, "the prompt was read in pieces, with a word of each stream between them"


async def test_a_short_prompt_passes_a_long_one(engine: LocalEngine, tools: Any) -> None:
    async with flows(engine, tools) as started:
        stream = started.start("Count the birds.", **ENDLESS)
        await until(lambda: stream.pieces >= 3)
        long = started.start("other " * 700, max_tokens=1)
        await until(lambda: engine.waiting == 2)
        short = started.start("Hi", max_tokens=1)
        await until(lambda: short.usage is not None)
        assert long.usage is None


@pytest.mark.parametrize("words", [1030, 3000, 200_000], ids=["a little", "much", "absurdly"])
async def test_a_prompt_beyond_the_context_is_refused_while_others_stream(
    engine: LocalEngine, tools: Any, words: int
) -> None:
    async with flows(engine, tools) as started:
        stream = started.start("Count the birds.", **ENDLESS)
        await stream.begun.wait()
        with pytest.raises(ContextTooLong) as refused:
            await tools.say(engine, "word " * words)
        assert refused.value.code == "context_length_exceeded"
        pieces = stream.pieces
        await until(lambda: stream.pieces > pieces)


async def test_a_system_prompt_shared_by_eight_is_computed_once_or_twice(engine: LocalEngine, tools: Any) -> None:
    system = {"role": "system", "content": " ".join(f"Rule {number}: be kind and brief." for number in range(20))}
    tokens = await engine.count_tokens([system, {"role": "user", "content": ""}])

    def ask(number: int) -> Callable[[], Awaitable[Any]]:
        messages = [system, {"role": "user", "content": f"Say {number}."}]
        return lambda: tools.say(engine, messages, max_tokens=3, temperature=0)

    told = await together([ask(number) for number in range(8)])
    cached = [said.usage.details["prompt_tokens_details"]["cached_tokens"] for said in told]
    assert sum(count > 0.8 * tokens for count in cached) >= 6, cached


# ── Beyond the context ──────────────────────────────────────────────────────────────────────────────────────────────


WINDOW = 128


@pytest.fixture(scope="module")
async def shifting(model: ModelFile, tools: Any) -> AsyncIterator[LocalEngine]:
    options: dict[str, Any] = {"context": WINDOW, "parallel": 2, "context_overflow": "shift"}
    async with another(model, tools, **options) as started:
        yield started


def dropped(usage: Usage | None) -> int:
    assert usage is not None
    return usage.context_dropped


async def test_an_answer_goes_on_beyond_the_context_and_tells_what_was_dropped(
    shifting: LocalEngine, tools: Any
) -> None:
    body: dict[str, Any] = {**ENDLESS, "max_tokens": 180, "temperature": 1.0, "top_p": 1, "seed": 4}
    said = await tools.say(shifting, "Tell a very long story about a llama.", **body)
    used = said.usage.prompt_tokens + said.usage.completion_tokens
    assert said.usage.completion_tokens > 120, "no loop ended it before"
    assert used - dropped(said.usage) <= WINDOW
    assert dropped(said.usage) >= used - WINDOW
    assert said.text.isprintable() or "\n" in said.text


async def test_within_the_context_nothing_is_dropped_and_nothing_said_of_it(shifting: LocalEngine, tools: Any) -> None:
    said = await tools.say(shifting, "What is the capital of France?", temperature=0)
    assert "Paris" in said.text
    assert dropped(said.usage) == 0
    assert "context" not in said.usage.details


async def test_a_prompt_longer_than_the_context_is_read_through_and_answered(shifting: LocalEngine, tools: Any) -> None:
    text = "The people of the village work in the fields by the river. " * 25 + "\nWhat is the capital of France?"
    said = await tools.say(shifting, text, temperature=0, max_tokens=16)
    assert said.usage.prompt_tokens > 300
    assert said.usage.prompt_tokens + said.usage.completion_tokens - dropped(said.usage) <= WINDOW
    assert "Paris" in said.text, "the end of it is what it answers"


async def test_a_conversation_far_longer_than_the_context_keeps_its_size(shifting: LocalEngine, tools: Any) -> None:
    turns: list[dict[str, Any]] = []
    gone = []
    for number in range(3):
        turns.append({"role": "user", "content": f"Say something about the number {number}. " + "Be kind. " * 12})
        said = await tools.say(shifting, turns, temperature=0, max_tokens=20)
        turns.append({"role": "assistant", "content": said.text})
        gone.append(dropped(said.usage))
        assert said.usage.prompt_tokens + said.usage.completion_tokens - gone[-1] <= WINDOW
    assert gone[0] == 0
    assert gone == sorted(gone)
    assert gone[-1] > 0
    assert "Paris" in (await tools.say(shifting, "What is the capital of France?", temperature=0)).text


async def test_a_system_message_that_leaves_no_room_for_the_rest_is_refused(shifting: LocalEngine, tools: Any) -> None:
    system = {"role": "system", "content": "Be brief. " * 30}
    with pytest.raises(ContextTooLong, match="system message"):
        await tools.say(shifting, [system, {"role": "user", "content": "Hi " * WINDOW}])
    said = await tools.say(shifting, [system, {"role": "user", "content": "Hi"}], max_tokens=1)
    assert dropped(said.usage) == 0, "while all of it fits, none need go"
    assert (await tools.say(shifting, "Hi", max_tokens=1)).usage is not None


async def test_what_was_shifted_is_never_taken_for_a_prompts_beginning(shifting: LocalEngine, tools: Any) -> None:
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Tell a long story about a fox. " + "Please. " * 20}]
    first = await tools.say(shifting, messages, **ENDLESS | {"max_tokens": 80})
    assert dropped(first.usage) > 0
    again = await tools.say(shifting, messages, max_tokens=1)
    cached = again.usage.details["prompt_tokens_details"]["cached_tokens"]
    sinks = await shifting.count_tokens([{"role": "user", "content": ""}])
    assert cached <= sinks, "of a shifted sequence only what never moved can be used again"


async def test_shifting_streams_leave_each_other_alone(shifting: LocalEngine, tools: Any) -> None:
    asked = "What is the capital of France?"
    alone = (await tools.say(shifting, asked, temperature=0)).text
    async with flows(shifting, tools) as started:
        long = started.start("Tell a long story.", **ENDLESS | {"temperature": 1.0, "seed": 3, "top_p": 1})
        await until(lambda: long.pieces > 100)
        for _ in range(2):
            assert (await tools.say(shifting, asked, temperature=0)).text == alone


async def test_logprobs_and_confidence_stay_numbers_after_a_shift(shifting: LocalEngine, tools: Any) -> None:
    asked = tools.request("Tell a long story.", **ENDLESS | {"max_tokens": 120, "temperature": 1, "logprobs": True})
    sure: list[Any] = []
    entries: list[Any] = []
    async with aclosing(shifting.stream(asked, tools.decision)) as answer:
        async for pieces in answer:
            for chunk in pieces:
                sure += chunk.confidence or ()
                entries += chunk.logprobs["content"] if chunk.logprobs else ()
    assert len(sure) == len(entries) > 90
    assert all(math.isfinite(number) for triple in sure for number in triple)
    assert all(math.isfinite(entry["logprob"]) and entry["logprob"] <= 1e-4 for entry in entries)


async def test_long_prompts_that_nobody_waits_for_any_more_hold_up_nobody(engine: LocalEngine, tools: Any) -> None:
    long = "hello world " * 20_000
    began = anyio.current_time()
    with pytest.raises(ContextTooLong):
        await tools.say(engine, long)
    once = anyio.current_time() - began
    began = anyio.current_time()
    await tools.say(engine, "Hi", max_tokens=1)
    alone = anyio.current_time() - began
    for _ in range(80):
        with anyio.move_on_after(0.005):
            await tools.say(engine, long)
    began = anyio.current_time()
    await tools.say(engine, "Hi", max_tokens=1)
    assert anyio.current_time() - began < 20 * once + 20 * alone
    assert engine.waiting == 0

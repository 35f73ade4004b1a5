"""The engine over the real model, once in a child process and once in a thread: what a client may rely on."""

from __future__ import annotations

import json
import re
from contextlib import aclosing
from typing import Any

import anyio
import pytest

from gateway.core.errors import BadRequest, ContextTooLong, GatewayError, QueueFull, Unsupported
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.local import LocalEngine
from gateway.engine.options import EngineOptions
from gateway.engine.supervisor import State

pytestmark = [pytest.mark.anyio, pytest.mark.model]

COUNT = "Count from one to twenty in words."


async def test_it_knows_the_capital_of_france_without_a_system_prompt(engine: LocalEngine, tools: Any) -> None:
    said = await tools.say(engine, "What is the capital of France?", temperature=0)
    assert "Paris" in said.text
    assert said.finishes == {0: ["stop"]}
    assert said.usage.prompt_tokens == 28
    assert 4 <= said.usage.completion_tokens <= 40
    assert engine.state is State.READY


async def test_max_tokens_ends_the_answer_with_length(engine: LocalEngine, tools: Any) -> None:
    said = await tools.say(engine, COUNT, temperature=0, max_completion_tokens=7)
    assert said.finishes == {0: ["length"]}
    assert said.usage.completion_tokens == 7


@pytest.mark.parametrize("stop", ["Paris", ["nowhere", " of Fr"], "l of F"], ids=["one", "list", "inside tokens"])
async def test_a_stop_string_and_what_follows_never_show(engine: LocalEngine, tools: Any, stop: Any) -> None:
    asked = "What is the capital of France?"
    whole = (await tools.say(engine, asked, temperature=0)).text
    said = await tools.say(engine, asked, temperature=0, stop=stop)
    stops = [stop] if isinstance(stop, str) else stop
    assert said.text == whole[: min(whole.find(word) for word in stops if word in whole)]
    assert said.finishes == {0: ["stop"]}


async def test_the_same_seed_gives_the_same_answer_and_another_seed_another(engine: LocalEngine, tools: Any) -> None:
    async def story(seed: int) -> str:
        text: str = (await tools.say(engine, "Tell me a story.", seed=seed, temperature=1, max_tokens=24)).text
        return text

    first = await story(7)
    await tools.say(engine, "Tell me a story about a fish.", max_tokens=4)  # leaves another prompt in the cache
    assert await story(7) == first
    assert await story(8) != first


async def test_characters_of_several_tokens_arrive_whole(engine: LocalEngine, tools: Any) -> None:
    emoji = "🦙🦙🦙"
    said = await tools.say(
        engine,
        "Repeat the text.",
        response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": {"const": emoji}}},
    )
    assert json.loads(said.text) == emoji


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "age": {"type": "integer"},
        "tags": {"type": "array", "items": {"enum": ["a", 'quo"te', "back\\slash"]}, "minItems": 2, "maxItems": 2},
        "home": {"$ref": "#/$defs/name"},
    },
    "required": ["name", "age", "tags", "home"],
    "additionalProperties": False,
    "$defs": {"name": {"type": "object", "properties": {"city": {"type": ["string", "null"]}}, "required": ["city"]}},
}


@pytest.mark.parametrize("temperature", [0, 1.5])
async def test_a_json_schema_is_held_to(engine: LocalEngine, tools: Any, temperature: float) -> None:
    wanted = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": SCHEMA}}
    said = await tools.say(
        engine,
        "Maria Rossi, 34, lives in Bologna.",
        response_format=wanted,
        temperature=temperature,
        seed=3,
        stop="\n\n",
        max_tokens=300,
    )
    assert said.finishes == {0: ["stop"]}
    person = json.loads(said.text)
    assert set(person) == {"name", "age", "tags", "home"}
    assert isinstance(person["age"], int)
    assert len(person["tags"]) == 2
    assert set(person["tags"]) <= {"a", 'quo"te', "back\\slash"}
    assert isinstance(person["home"]["city"], str | None)


async def test_json_object_gives_an_object(engine: LocalEngine, tools: Any) -> None:
    said = await tools.say(
        engine, "Give the capital of France as JSON.", response_format={"type": "json_object"}, temperature=0
    )
    assert said.finishes == {0: ["length"]} or isinstance(json.loads(said.text), dict)
    assert said.text.startswith("{")


async def test_several_choices_come_in_order_each_with_one_finish(engine: LocalEngine, tools: Any) -> None:
    said = await tools.say(engine, "Name an animal.", n=2, seed=1, temperature=1.2, max_tokens=6)
    assert list(said.texts) == [0, 1]
    assert all(len(finishes) == 1 for finishes in said.finishes.values())
    assert said.texts[0] != said.texts[1]
    assert said.usage.completion_tokens > 6


async def test_logprobs_have_openais_shape_and_cover_the_text(engine: LocalEngine, tools: Any) -> None:
    said = await tools.say(
        engine, "What is the capital of France?", temperature=0, logprobs=True, top_logprobs=3, stop=" Paris"
    )
    assert b"".join(bytes(entry["bytes"]) for entry in said.logprobs).decode() == said.text
    for entry in said.logprobs:
        assert entry["logprob"] <= 0
        assert len(entry["top_logprobs"]) == 3
        assert entry["top_logprobs"][0]["token"] == entry["token"]  # greedy takes the likeliest
        assert entry["top_logprobs"] == sorted(entry["top_logprobs"], key=lambda one: -one["logprob"])


async def test_a_logit_bias_bans_a_token(engine: LocalEngine, tools: Any) -> None:
    asked = {"temperature": 0, "max_tokens": 1}
    plain = (await tools.say(engine, "What is the capital of France?", **asked)).text
    token = 504  # "The"
    biased = (await tools.say(engine, "What is the capital of France?", logit_bias={str(token): -100}, **asked)).text
    assert (plain, biased) == ("The", "La")


async def test_frequency_penalty_ends_repetition(engine: LocalEngine, tools: Any) -> None:
    asked = "Write the word yes again and again: yes yes yes yes yes yes yes"
    said = await tools.say(engine, asked, temperature=0, frequency_penalty=2, presence_penalty=2, max_tokens=30)
    words = re.findall(r"[a-z]+", said.text.lower())
    assert words.count("yes") < 8


async def test_a_prompt_beyond_the_context_is_refused_and_the_next_one_answered(
    engine: LocalEngine, tools: Any
) -> None:
    with pytest.raises(ContextTooLong, match="far longer"):
        await tools.say(engine, "hello " * 50_000)
    with pytest.raises(ContextTooLong, match="the prompt has") as refused:
        await tools.say(engine, "hello " * 3000)
    assert refused.value.code == "context_length_exceeded"
    assert refused.value.param == "messages"
    assert (await tools.say(engine, "Hi", max_tokens=1)).usage.completion_tokens == 1


async def test_a_count_is_what_the_prompt_will_have_tools_included(engine: LocalEngine, tools: Any) -> None:
    look = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object", "properties": {}}}}
    messages = [{"role": "user", "content": "Hi"}]
    bare = await engine.count_tokens(messages)
    offered = await engine.count_tokens(messages, {"messages": messages, "tools": [look]})
    silent = await engine.count_tokens(messages, {"messages": messages, "tools": [look], "tool_choice": "none"})
    said = await tools.say(engine, "Hi", tools=[look], max_tokens=1)
    assert said.usage.prompt_tokens == offered
    assert offered > bare == silent


async def test_a_full_context_ends_the_answer_with_length(engine: LocalEngine, tools: Any) -> None:
    tokens = await engine.count_tokens([{"role": "user", "content": "word " * 450}])
    said = await tools.say(engine, "word " * 450, logit_bias={"2": -100, "0": -100})
    assert said.usage.prompt_tokens == tokens
    assert said.finishes == {0: ["length"]}
    assert said.usage.prompt_tokens + said.usage.completion_tokens == 512


@pytest.mark.parametrize(
    ("body", "error", "param"),
    [
        pytest.param({"tools": [{"type": "function"}]}, BadRequest, "tools[0].function", id="tools"),
        pytest.param({"temperature": 3}, BadRequest, "temperature", id="temperature"),
        pytest.param({"logit_bias": {"99999999": 1}}, BadRequest, "logit_bias", id="token beyond the vocabulary"),
        pytest.param(
            {
                "response_format": {
                    "type": "json_schema",
                    "json_schema": {"schema": {"type": "number", "multipleOf": 7}},
                }
            },
            Unsupported,
            "response_format",
            id="a schema that cannot be enforced",
        ),
    ],
)
async def test_what_cannot_be_honoured_is_refused_by_name(
    engine: LocalEngine, tools: Any, body: dict[str, Any], error: type[GatewayError], param: str
) -> None:
    with pytest.raises(error) as refused:
        await tools.say(engine, "Hi", **body)
    assert refused.value.param == param


async def test_closing_mid_stream_stops_the_model(engine: LocalEngine, tools: Any) -> None:
    before = engine.cancelled
    async with aclosing(engine.stream(tools.request(COUNT * 3, logit_bias={"2": -100}), tools.decision)) as answer:
        await anext(answer)
    await _until(lambda: engine.cancelled == before + 1)
    assert engine.waiting == 0
    assert (await tools.say(engine, "Hi", max_tokens=1)).usage is not None


async def test_leaving_before_the_first_token_stops_the_prompt(engine: LocalEngine, tools: Any) -> None:
    before = engine.cancelled
    with anyio.move_on_after(0.05) as left:
        await tools.say(engine, "word " * 450, seed=1, max_tokens=1)
    assert left.cancelled_caught
    await _until(lambda: engine.cancelled == before + 1)
    assert engine.waiting == 0


async def test_requests_wait_their_turn_and_beyond_the_queue_are_refused(model: ModelFile, tools: Any) -> None:
    async with tools.running(LocalEngine(model, EngineOptions(context=512, threads=1, queue=3, parallel=1))) as engine:
        await tools.say(engine, "Hi", max_tokens=1)
        await _overfill(engine, tools)


async def _overfill(engine: LocalEngine, tools: Any) -> None:
    answers = []

    async def ask() -> None:
        answers.append(await tools.say(engine, "Hi", max_tokens=2))

    async with aclosing(engine.stream(tools.request(COUNT, logit_bias={"2": -100}), tools.decision)) as first:
        await anext(first)
        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask)
            await _until(lambda: engine.waiting == 4)
            with pytest.raises(QueueFull) as refused:
                await tools.say(engine, "Hi")
            assert refused.value.retry_after_s
            await first.aclose()
    assert len(answers) == 3
    assert engine.waiting == 0


async def _until(true: Any) -> None:
    with anyio.fail_after(90):
        while not true():
            await anyio.sleep(0.01)


async def test_tools_far_beyond_the_context_are_refused_before_they_are_read(engine: LocalEngine, tools: Any) -> None:
    function = {"name": "f", "description": "a " * 100_000}
    with pytest.raises(ContextTooLong, match="far longer"):
        await tools.say(engine, "Hi", tools=[{"type": "function", "function": function}])


async def test_long_schemas_are_read_beside_the_event_loop(engine: LocalEngine, tools: Any) -> None:
    slow = {"oneOf": [{"const": number} for number in range(500)]}
    functions = [{"name": f"f{number}", "parameters": {"properties": {"a": slow}}} for number in range(8)]
    turns = 0

    async def tick() -> None:
        nonlocal turns
        while True:
            await anyio.sleep(0.001)
            turns += 1

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tick)
        await anyio.sleep(0.01)
        turns = 0
        with pytest.raises(ContextTooLong):
            await tools.say(engine, "Hi", tools=[{"type": "function", "function": one} for one in functions])
        tasks.cancel_scope.cancel()
    assert turns > 5

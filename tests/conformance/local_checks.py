"""What the real `openai` client must see of the model on this host, as a plain script beside `client_checks.py`.

    python local_checks.py GATEWAY_BASE_URL KEY

The model is small: what it says is checked where it is sure, everywhere else only that the form is right.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import openai
from client_checks import WEATHER, raising, run
from pydantic import BaseModel, Field

FRANCE = "What is the capital of France?"


@dataclass(frozen=True)
class Local:
    client: openai.OpenAI
    aclient: openai.AsyncOpenAI


class Person(BaseModel):
    name: str = Field(max_length=20)
    age: int
    city: str = Field(max_length=20)


class Mood(BaseModel):
    """Nested, optional, chosen from a list: what pydantic writes of these must be understood."""

    mood: Literal["glad", "sad"]
    why: str | None = Field(max_length=16)
    people: list[Literal["Anna", "Bert"]] = Field(min_length=1, max_length=2)


class Lookup(BaseModel):
    """Look up a word."""

    word: str = Field(max_length=12)
    language: Literal["en", "fr"]


CLOCK = {
    "type": "function",
    "function": {
        "name": "clock",
        "description": "What time it is",
        "parameters": {"type": "object", "properties": {}, "additionalProperties": False},
        "strict": True,
    },
}


def ask(text: str = FRANCE, **more: Any) -> dict[str, Any]:
    return {"model": "local", "messages": [{"role": "user", "content": text}], "temperature": 0, **more}


def text_of(chunks: Iterable[Any]) -> str:
    return "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)


# ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_a_completion_is_whole_and_right(to: Local) -> None:
    answer = to.client.chat.completions.create(**ask())
    [choice] = answer.choices
    assert "Paris" in (choice.message.content or "")
    assert (choice.finish_reason, choice.message.role, choice.message.tool_calls) == ("stop", "assistant", None)
    usage = answer.usage
    assert usage is not None
    assert usage.prompt_tokens > 20
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens
    assert usage.prompt_tokens_details is not None
    assert (usage.prompt_tokens_details.cached_tokens or 0) < usage.prompt_tokens


async def check_the_async_client_gets_the_same(to: Local) -> None:
    answer = await to.aclient.chat.completions.create(**ask())
    assert "Paris" in (answer.choices[0].message.content or "")


def check_a_stream_says_the_same_in_many_pieces(to: Local) -> None:
    whole = to.client.chat.completions.create(**ask()).choices[0].message.content
    chunks = list(to.client.chat.completions.create(**ask(stream=True)))
    assert text_of(chunks) == whole
    assert len(chunks) > 4
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert [chunk.choices[0].delta.role for chunk in chunks] == ["assistant"] + [None] * (len(chunks) - 1)
    assert len({(chunk.id, chunk.created, chunk.model) for chunk in chunks}) == 1


async def check_an_async_stream_too(to: Local) -> None:
    chunks = [chunk async for chunk in await to.aclient.chat.completions.create(**ask(stream=True))]
    assert "Paris" in text_of(chunks)


def check_usage_is_the_last_chunk_of_a_stream(to: Local) -> None:
    *chunks, last = to.client.chat.completions.create(
        **ask(stream=True, stream_options={"include_usage": True}, max_tokens=7)
    )
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.completion_tokens == 7
    assert all(chunk.usage is None for chunk in chunks)
    assert chunks[-1].choices[0].finish_reason == "length"


def check_the_stream_helper_collects_two_choices(to: Local) -> None:
    with to.client.chat.completions.stream(**ask(n=2, max_tokens=60)) as stream:
        final = stream.get_final_completion()
    assert [choice.index for choice in final.choices] == [0, 1]
    assert all(choice.message.content and choice.finish_reason for choice in final.choices)


def check_two_choices_differ_and_are_counted_together(to: Local) -> None:
    answer = to.client.chat.completions.create(**ask("Tell me a story.", n=2, temperature=1.4, max_tokens=12))
    one, two = answer.choices
    assert one.message.content != two.message.content
    assert answer.usage is not None
    assert 12 < answer.usage.completion_tokens <= 24


def check_logprobs_spell_the_answer(to: Local) -> None:
    choice = to.client.chat.completions.create(**ask(logprobs=True, top_logprobs=3)).choices[0]
    assert choice.logprobs is not None
    tokens = choice.logprobs.content or []
    assert b"".join(bytes(token.bytes or ()) for token in tokens).decode() == choice.message.content
    for token in tokens:
        assert len(token.top_logprobs) == 3
        assert token.top_logprobs[0].token == token.token
        assert 0 >= token.logprob >= token.top_logprobs[1].logprob


def check_logprobs_add_up_in_a_stream(to: Local) -> None:
    with to.client.chat.completions.stream(**ask(logprobs=True, top_logprobs=1)) as stream:
        final = stream.get_final_completion().choices[0]
    assert final.logprobs is not None
    tokens = final.logprobs.content or []
    assert b"".join(bytes(token.bytes or ()) for token in tokens).decode() == final.message.content


def check_a_seed_repeats_an_answer(to: Local) -> None:
    def story(seed: int) -> str | None:
        asked = ask("Tell me a story.", seed=seed, temperature=1.2, max_tokens=16)
        return to.client.chat.completions.create(**asked).choices[0].message.content

    assert story(7) == story(7) != story(8)


def check_a_stop_text_ends_the_answer_unseen(to: Local) -> None:
    for stop in (" Paris", ["nowhere", " Paris"]):
        for stream in (False, True):
            answer = to.client.chat.completions.create(**ask(stop=stop, stream=stream))
            chunks = list(answer) if stream else []
            said = text_of(chunks) if stream else answer.choices[0].message.content
            finish = chunks[-1].choices[0].finish_reason if stream else answer.choices[0].finish_reason
            assert (said, finish) == ("The capital of France is", "stop")


def check_max_tokens_under_both_names(to: Local) -> None:
    for name in ("max_tokens", "max_completion_tokens"):
        answer = to.client.chat.completions.create(**ask(**{name: 3}))
        assert answer.usage is not None
        assert (answer.usage.completion_tokens, answer.choices[0].finish_reason) == (3, "length")


def check_a_logit_bias_is_honoured(to: Local) -> None:
    answer = to.client.chat.completions.create(**ask(max_tokens=1, logit_bias={"504": -100}))
    assert answer.choices[0].message.content not in ("The", "")


def check_parts_and_the_developer_role_are_read(to: Local) -> None:
    messages = [
        {"role": "developer", "content": "You are a helpful AI assistant."},
        {"role": "user", "content": [{"type": "text", "text": FRANCE}]},
    ]
    answer = to.client.chat.completions.create(**ask() | {"messages": messages})
    assert "Paris" in (answer.choices[0].message.content or "")


def check_two_requests_at_once_are_both_streamed(to: Local) -> None:
    first = to.client.chat.completions.create(**ask("Tell me a story.", stream=True, max_tokens=40))
    begun = next(iter(first))
    assert "Paris" in text_of(to.client.chat.completions.create(**ask(stream=True)))
    assert len([begun, *first]) > 5


# ── Structured output ───────────────────────────────────────────────────────────────────────────────────────────────


def check_parse_gives_a_pydantic_object(to: Local) -> None:
    asked = ask("Maria Rossi is 34 years old and lives in Bologna.", response_format=Person, max_tokens=90)
    message = to.client.chat.completions.parse(**asked).choices[0].message
    assert isinstance(message.parsed, Person)
    assert message.parsed.age == 34


def check_parse_of_the_beta_client(to: Local) -> None:
    beta = getattr(getattr(to.client.beta, "chat", None), "completions", to.client.chat.completions)
    asked = ask("I am glad to see Anna and Bert.", response_format=Mood, max_tokens=120)
    assert isinstance(beta.parse(**asked).choices[0].message.parsed, Mood)


async def check_the_async_client_parses_a_stream(to: Local) -> None:
    asked = ask("Maria Rossi is 34 years old and lives in Bologna.", response_format=Person, max_tokens=90)
    async with to.aclient.chat.completions.stream(**asked) as stream:
        final = await stream.get_final_completion()
    assert isinstance(final.choices[0].message.parsed, Person)


def check_an_object_cut_by_the_limit_is_told_as_one(to: Local) -> None:
    with raising(openai.LengthFinishReasonError):
        to.client.chat.completions.parse(**ask(response_format=Person, max_tokens=4))


def check_json_object_begins_an_object(to: Local) -> None:
    asked = ask("Give the capital of France as JSON.", response_format={"type": "json_object"}, max_tokens=80)
    choice = to.client.chat.completions.create(**asked).choices[0]
    assert (choice.message.content or "").startswith("{")
    assert choice.finish_reason == "length" or isinstance(json.loads(choice.message.content or ""), dict)


# ── Tools ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def valid(calls: Iterable[Any] | None, names: frozenset[str] = frozenset({"weather", "clock"})) -> list[Any]:
    """The calls, each of them one that a client can carry out."""
    told = list(calls or ())
    for call in told:
        assert call.type == "function"
        assert call.id
        assert call.function.name in names
        arguments = json.loads(call.function.arguments)
        if call.function.name == "weather":
            assert set(arguments) == {"city"}
            assert isinstance(arguments["city"], str)
        else:
            assert isinstance(arguments, dict)
    assert len({call.id for call in told}) == len(told)
    return told


def ask_weather(**more: Any) -> dict[str, Any]:
    return ask("What is the weather in Lyon?", tools=[WEATHER, CLOCK], max_tokens=60, **more)


def check_auto_may_call_or_speak(to: Local) -> None:
    for choice in ({}, {"tool_choice": "auto"}):
        [said] = to.client.chat.completions.create(**ask_weather(**choice)).choices
        if valid(said.message.tool_calls):
            assert said.finish_reason in ("tool_calls", "length")
        else:
            assert said.finish_reason in ("stop", "length")


def check_none_never_calls(to: Local) -> None:
    [said] = to.client.chat.completions.create(**ask_weather(tool_choice="none")).choices
    assert said.message.tool_calls is None
    assert said.message.content


def check_required_calls(to: Local) -> None:
    [said] = to.client.chat.completions.create(**ask_weather(tool_choice="required")).choices
    assert len(valid(said.message.tool_calls)) >= 1
    assert said.finish_reason in ("tool_calls", "length")


def check_a_named_tool_is_the_one_called(to: Local) -> None:
    for name in ("weather", "clock"):
        choice = {"type": "function", "function": {"name": name}}
        [said] = to.client.chat.completions.create(**ask_weather(tool_choice=choice)).choices
        [call] = valid(said.message.tool_calls)
        assert call.function.name == name
        assert said.finish_reason == "tool_calls"


def check_without_parallel_calls_there_is_one(to: Local) -> None:
    asked = ask_weather(tool_choice="required", parallel_tool_calls=False)
    [said] = to.client.chat.completions.create(**asked).choices
    assert len(valid(said.message.tool_calls)) == 1
    assert said.finish_reason == "tool_calls"


def check_streamed_calls_add_up(to: Local) -> None:
    with to.client.chat.completions.stream(**ask_weather(tool_choice="required", parallel_tool_calls=False)) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion().choices[0]
    [call] = valid(final.message.tool_calls)
    assert [(event.name, event.arguments) for event in done] == [(call.function.name, call.function.arguments)]
    assert final.finish_reason == "tool_calls"


async def check_streamed_calls_are_those_of_a_body(to: Local) -> None:
    choice = {"type": "function", "function": {"name": "weather"}}
    [whole] = (await to.aclient.chat.completions.create(**ask_weather(tool_choice=choice))).choices
    async with to.aclient.chat.completions.stream(**ask_weather(tool_choice=choice)) as stream:
        final = (await stream.get_final_completion()).choices[0]
    assert [call.function.arguments for call in final.message.tool_calls or ()] == [
        call.function.arguments for call in whole.message.tool_calls or ()
    ]


def check_pydantic_tools_are_parsed(to: Local) -> None:
    tools = [openai.pydantic_function_tool(Lookup)]
    asked = ask("Look up the word maison.", tools=tools, tool_choice="required", parallel_tool_calls=False)
    message = to.client.chat.completions.parse(**asked, max_tokens=80).choices[0].message
    [call] = message.tool_calls or ()
    assert isinstance(call.function.parsed_arguments, Lookup)


def check_a_conversation_with_a_tools_result_goes_on(to: Local) -> None:
    asked = ask_weather()
    call = {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Lyon"}'}}
    asked["messages"] += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_a", "content": "It is sunny in Lyon."},
    ]
    [said] = to.client.chat.completions.create(**asked).choices
    assert said.message.content or valid(said.message.tool_calls)
    del asked["tools"]  # as some clients do on the last turn
    [said] = to.client.chat.completions.create(**asked).choices
    assert said.message.content
    assert said.message.tool_calls is None


def check_two_choices_may_each_call(to: Local) -> None:
    answer = to.client.chat.completions.create(
        **ask_weather(tool_choice="required", parallel_tool_calls=False, n=2) | {"temperature": 1}
    )
    for choice in answer.choices:
        assert len(valid(choice.message.tool_calls)) == 1


# ── Errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_a_prompt_that_is_too_long_is_told_as_one(to: Local) -> None:
    for words in (1500, 200_000):
        for stream in (False, True):
            with raising(openai.BadRequestError) as caught:
                to.client.chat.completions.create(**ask("word " * words, stream=stream))
            assert (caught[0].code, caught[0].param) == ("context_length_exceeded", "messages")


def check_a_limit_beyond_the_context_allows_all_the_room_there_is(to: Local) -> None:
    answer = to.client.chat.completions.create(**ask("word " * 900 + "\nCount on.") | {"max_tokens": 4096})
    assert answer.choices[0].finish_reason in {"stop", "length"}
    assert answer.usage is not None
    assert 900 < answer.usage.total_tokens <= 1024


def check_a_schema_that_cannot_be_held_to_is_refused_with_its_path(to: Local) -> None:
    schema = {"type": "object", "properties": {"when": {"type": "string", "pattern": "(?=a)b"}}, "required": ["when"]}
    with raising(openai.BadRequestError) as caught:
        to.client.chat.completions.create(
            **ask(response_format={"type": "json_schema", "json_schema": {"name": "x", "schema": schema}})
        )
    [error] = caught
    assert error.code == "unsupported_parameter"
    assert error.param.startswith("response_format")
    assert "pattern" in str(error)


def check_a_tools_schema_that_cannot_be_held_to_is_refused_with_its_path(to: Local) -> None:
    parameters = {"type": "object", "properties": {"a": {"not": {"type": "string"}}}, "required": ["a"]}
    function = {"name": "strange", "strict": True, "parameters": parameters | {"additionalProperties": False}}
    with raising(openai.BadRequestError) as caught:
        to.client.chat.completions.create(**ask(tools=[WEATHER, {"type": "function", "function": function}]))
    assert caught[0].param.startswith("tools[1]")


def check_an_unknown_adapter_is_not_found(to: Local) -> None:
    with raising(openai.NotFoundError) as caught:
        to.client.chat.completions.create(**ask() | {"model": "local:nothing"})
    assert (caught[0].code, caught[0].param) == ("model_not_found", "model")


def check_a_tool_that_is_not_there_cannot_be_chosen(to: Local) -> None:
    with raising(openai.BadRequestError) as caught:
        to.client.chat.completions.create(
            **ask_weather(tool_choice={"type": "function", "function": {"name": "nowhere"}})
        )
    assert caught[0].param == "tool_choice"


def check_an_image_is_refused(to: Local) -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}}
    with raising(openai.BadRequestError) as caught:
        to.client.chat.completions.create(**ask() | {"messages": [{"role": "user", "content": [image]}]})
    assert caught[0].code == "unsupported_content"


def main(base_url: str, key: str) -> None:
    client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=60)
    aclient = openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=60)
    run(globals().copy(), Local(client, aclient), aclient)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""What the real `openai` client must see, as a plain script: any interpreter that has the client can run it.

    python client_checks.py GATEWAY_BASE_URL UPSTREAM_URL KEY

Each `check_…` runs by itself; one JSON line per check says `{"check": …, "problem": null or the traceback}`. What the
upstream answers is named by the first word of the question (`scenarios.py`); it also tells what it was asked.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import random
import string
import sys
import time
import traceback
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import openai
from pydantic import BaseModel


@dataclass(frozen=True)
class Setting:
    client: openai.OpenAI
    aclient: openai.AsyncOpenAI
    upstream: str

    def ask(self, scenario: str, **more: Any) -> dict[str, Any]:
        """Arguments of a request that gets the scenario's answers and nobody else's."""
        tag = f"{scenario}/{''.join(random.choices(string.ascii_lowercase, k=8))}"
        return {"model": "large", "messages": [{"role": "user", "content": tag}], **more}

    def received(self, ask: dict[str, Any]) -> list[dict[str, Any]]:
        """The bodies that this request's attempts brought to the upstream."""
        tag = ask["messages"][0]["content"]
        with urllib.request.urlopen(f"{self.upstream}/asked/{tag}") as answer:
            bodies: list[dict[str, Any]] = json.load(answer)
        return bodies


class City(BaseModel):
    name: str
    people: int


WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
        "strict": True,
    },
}


@contextmanager
def raising(kind: type[Exception]) -> Iterator[list[Any]]:
    """The one exception of exactly this class that the block must end with."""
    caught: list[Any] = []
    try:
        yield caught
    except Exception as error:
        if type(error) is not kind:
            raise AssertionError(f"{type(error).__name__} instead of {kind.__name__}: {error}") from error
        caught.append(error)
    else:
        raise AssertionError(f"{kind.__name__} was not raised")


# ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_a_completion_is_whole(to: Setting) -> None:
    answer = to.client.chat.completions.create(**to.ask("plain"))
    assert answer.id.startswith("chatcmpl-")
    assert answer.object == "chat.completion"
    assert abs(answer.created - time.time()) < 60
    assert answer.model == "large"
    [choice] = answer.choices
    assert (choice.index, choice.finish_reason, choice.logprobs) == (0, "stop", None)
    assert (choice.message.role, choice.message.content, choice.message.refusal) == ("assistant", "Hello.", None)
    assert choice.message.tool_calls is None
    assert answer.usage is not None
    assert answer.usage.model_dump(include={"prompt_tokens", "completion_tokens", "total_tokens"}) == {
        "prompt_tokens": 7,
        "completion_tokens": 2,
        "total_tokens": 9,
    }
    assert (answer._request_id or "").startswith("req_")


async def check_the_async_client_gets_the_same(to: Setting) -> None:
    answer = await to.aclient.chat.completions.create(**to.ask("plain"))
    assert answer.choices[0].message.content == "Hello."
    assert answer.usage is not None
    assert answer.usage.total_tokens == 9


def check_a_stream_has_its_shape(to: Setting) -> None:
    chunks = list(to.client.chat.completions.create(**to.ask("plain", stream=True)))
    assert len({(chunk.id, chunk.created, chunk.model, chunk.object) for chunk in chunks}) == 1
    assert chunks[0].object == "chat.completion.chunk"
    assert [chunk.choices[0].delta.role for chunk in chunks] == ["assistant"] + [None] * (len(chunks) - 1)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello."
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None] * (len(chunks) - 1) + ["stop"]
    assert all(chunk.usage is None for chunk in chunks)


async def check_an_async_stream_has_the_same_text(to: Setting) -> None:
    stream = await to.aclient.chat.completions.create(**to.ask("plain", stream=True))
    assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "Hello."


def check_usage_comes_last_and_only_when_asked(to: Setting) -> None:
    asked = to.ask("plain", stream=True, stream_options={"include_usage": True})
    *before, last = to.client.chat.completions.create(**asked)
    assert last.choices == []
    assert last.usage is not None
    assert last.usage.total_tokens == 9
    assert all(chunk.usage is None and chunk.choices for chunk in before)


def check_usage_is_counted_where_the_upstream_tells_none(to: Setting) -> None:
    *_, last = to.client.chat.completions.create(
        **to.ask("no-usage", stream=True, stream_options={"include_usage": True})
    )
    assert last.usage is not None
    assert last.usage.completion_tokens > 0
    assert last.usage.total_tokens == last.usage.prompt_tokens + last.usage.completion_tokens


def check_the_stream_helper_collects(to: Setting) -> None:
    with to.client.chat.completions.stream(**to.ask("plain")) as stream:
        text = "".join(event.delta for event in stream if event.type == "content.delta")
        final = stream.get_final_completion()
    assert text == final.choices[0].message.content == "Hello."
    assert final.choices[0].finish_reason == "stop"


async def check_the_async_stream_helper_collects(to: Setting) -> None:
    async with to.aclient.chat.completions.stream(**to.ask("plain")) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.content == "Hello."


def check_two_choices_come_back_in_order(to: Setting) -> None:
    answer = to.client.chat.completions.create(**to.ask("two", n=2))
    assert [(choice.index, choice.message.content) for choice in answer.choices] == [(0, "first"), (1, "second")]


def check_two_choices_that_come_crosswise_are_streamed_in_order(to: Setting) -> None:
    asked = to.ask("two", n=2)
    with to.client.chat.completions.stream(**asked) as stream:
        final = stream.get_final_completion()
    assert [(choice.index, choice.message.content) for choice in final.choices] == [(0, "first"), (1, "second")]
    assert [choice.finish_reason for choice in final.choices] == ["stop", "stop"]
    assert to.received(asked)[0]["n"] == 2


def check_logprobs_come_with_the_answer(to: Setting) -> None:
    asked = to.ask("logprobs", logprobs=True, top_logprobs=2)
    answer = to.client.chat.completions.create(**asked)
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert [(token.token, token.logprob, len(token.top_logprobs)) for token in logprobs.content or ()] == [
        ("Hel", -0.1, 2),
        ("lo", -0.2, 2),
    ]
    assert {key: to.received(asked)[0][key] for key in ("logprobs", "top_logprobs")} == {
        "logprobs": True,
        "top_logprobs": 2,
    }


def check_logprobs_add_up_in_a_stream(to: Setting) -> None:
    with to.client.chat.completions.stream(**to.ask("logprobs", logprobs=True, top_logprobs=2)) as stream:
        logprobs = stream.get_final_completion().choices[0].logprobs
    assert logprobs is not None
    assert [token.token for token in logprobs.content or ()] == ["Hel", "lo"]


def check_parameters_reach_the_upstream(to: Setting) -> None:
    given = {"stop": ["END", "\n\n"], "seed": 7, "temperature": 0.3, "top_p": 0.9, "presence_penalty": 0.5}
    asked = to.ask("plain", max_completion_tokens=50, **given)
    to.client.chat.completions.create(**asked)
    [body] = to.received(asked)
    assert {key: body[key] for key in given} == given
    assert body["max_tokens"] == 50
    one = to.ask("plain", stop="END", max_tokens=40)
    to.client.chat.completions.create(**one)
    assert (to.received(one)[0]["stop"], to.received(one)[0]["max_tokens"]) == ("END", 40)


def check_parse_gives_an_object(to: Setting) -> None:
    asked = to.ask("city", response_format=City)
    answer = to.client.chat.completions.parse(**asked)
    assert answer.choices[0].message.parsed == City(name="Lyon", people=520_000)
    sent = to.received(asked)[0]["response_format"]
    assert (sent["type"], sent["json_schema"]["strict"]) == ("json_schema", True)


async def check_the_async_client_parses_a_stream(to: Setting) -> None:
    async with to.aclient.chat.completions.stream(**to.ask("city", response_format=City)) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].message.parsed == City(name="Lyon", people=520_000)


def check_an_answer_cut_by_the_limit_is_told_as_one(to: Setting) -> None:
    with raising(openai.LengthFinishReasonError):
        to.client.chat.completions.parse(**to.ask("cut", response_format=City))


def check_an_answer_stopped_by_a_filter_is_told_as_one(to: Setting) -> None:
    with raising(openai.ContentFilterFinishReasonError):
        to.client.chat.completions.parse(**to.ask("filtered", response_format=City))


def check_a_refusal_is_not_content(to: Setting) -> None:
    message = to.client.chat.completions.create(**to.ask("refusal")).choices[0].message
    assert (message.content, message.refusal) == (None, "I would rather not.")


def check_reasoning_stands_beside_the_content(to: Setting) -> None:
    message = to.client.chat.completions.create(**to.ask("reasoning")).choices[0].message
    assert message.content == "42"
    assert (message.model_extra or {})["reasoning_content"] == "Six times seven."


def check_the_developer_role_is_understood(to: Setting) -> None:
    asked = to.ask("plain")
    asked["messages"] = [*asked["messages"], {"role": "developer", "content": "Answer briefly."}]
    to.client.chat.completions.create(**asked)
    assert [message["role"] for message in to.received(asked)[0]["messages"]] == ["user", "system"]


# ── Tools ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_a_tool_call_comes_back_whole(to: Setting) -> None:
    asked = to.ask("calls", tools=[WEATHER], tool_choice="auto", parallel_tool_calls=True)
    [choice] = to.client.chat.completions.create(**asked).choices
    assert (choice.finish_reason, choice.message.content) == ("tool_calls", None)
    calls = choice.message.tool_calls or []
    assert [(call.type, call.function.name, json.loads(call.function.arguments)) for call in calls] == [
        ("function", "weather", {"city": "Lyon"}),
        ("function", "weather", {"city": "Turin"}),
    ]
    assert len({call.id for call in calls}) == 2
    assert to.received(asked)[0]["tools"] == [WEATHER]


def check_streamed_tool_calls_add_up(to: Setting) -> None:
    with to.client.chat.completions.stream(**to.ask("calls", tools=[WEATHER])) as stream:
        done = [event for event in stream if event.type == "tool_calls.function.arguments.done"]
        final = stream.get_final_completion().choices[0]
    assert [(event.index, event.name, json.loads(event.arguments)) for event in done] == [
        (0, "weather", {"city": "Lyon"}),
        (1, "weather", {"city": "Turin"}),
    ]
    assert final.finish_reason == "tool_calls"
    assert [call.id for call in final.message.tool_calls or ()] == ["call_a", "call_b"]


def check_a_conversation_with_tools_goes_on(to: Setting) -> None:
    asked = to.ask("plain", tools=[WEATHER])
    call = {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Lyon"}'}}
    asked["messages"] += [
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_a", "content": "sunny"},
    ]
    assert to.client.chat.completions.create(**asked).choices[0].message.content == "Hello."
    [body] = to.received(asked)
    assert body["messages"][1:] == asked["messages"][1:]


# ── Models and headers ──────────────────────────────────────────────────────────────────────────────────────────────


def check_models_are_listed(to: Setting) -> None:
    models = {model.id: model for model in to.client.models.list()}
    assert {"auto", "local", "large", "vendor/gpt-4.1"} <= models.keys()
    assert all(model.object == "model" and model.owned_by and model.created for model in models.values())


async def check_models_are_listed_by_the_async_client(to: Setting) -> None:
    assert "large" in [model.id async for model in to.aclient.models.list()]


def check_a_model_is_retrieved_also_under_a_name_with_a_slash(to: Setting) -> None:
    for name in ("large", "vendor/gpt-4.1"):
        assert to.client.models.retrieve(name).id == name
    with raising(openai.NotFoundError) as caught:
        to.client.models.retrieve("gpt-9")
    assert caught[0].code == "model_not_found"


def check_an_alias_with_a_slash_answers_under_its_own_name(to: Setting) -> None:
    answer = to.client.chat.completions.create(**to.ask("plain") | {"model": "vendor/gpt-4.1"})
    assert (answer.model, answer.choices[0].message.content) == ("vendor/gpt-4.1", "Hello.")


def check_headers_tell_what_was_decided(to: Setting) -> None:
    raw = to.client.chat.completions.with_raw_response.create(**to.ask("plain"))
    headers = {name: raw.headers[f"x-gateway-{name}"] for name in ("zone", "backend", "rule", "cache")}
    assert headers == {"zone": "remote", "backend": "large", "rule": "asked-for-by-name", "cache": "off"}
    assert raw.parse().choices[0].message.content == "Hello."
    with to.client.chat.completions.with_streaming_response.create(**to.ask("plain", stream=True)) as streamed:
        assert streamed.headers["x-request-id"].startswith("req_")
        assert streamed.headers["x-gateway-zone"] == "remote"
        assert streamed.headers["content-type"].startswith("text/event-stream")


def check_pings_in_a_slow_stream_are_not_seen(to: Setting) -> None:
    stream = to.client.chat.completions.create(**to.ask("slow", stream=True))
    assert "".join(chunk.choices[0].delta.content or "" for chunk in stream) == "Hello."


# ── Errors ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def check_a_bad_parameter_is_named(to: Setting) -> None:
    asked = to.ask("plain", temperature=3)
    with raising(openai.BadRequestError) as caught:
        to.client.chat.completions.create(**asked)
    [error] = caught
    assert (error.param, error.code, error.type) == ("temperature", "invalid_value", "invalid_request_error")
    assert (error.request_id or "").startswith("req_")
    assert to.received(asked) == []


def check_an_unknown_model_is_not_found(to: Setting) -> None:
    with raising(openai.NotFoundError) as caught:
        to.client.chat.completions.create(**to.ask("plain") | {"model": "gpt-9"})
    assert (caught[0].code, caught[0].param) == ("model_not_found", "model")


def check_endpoints_that_do_not_exist_are_not_found(to: Setting) -> None:
    with raising(openai.NotFoundError) as caught:
        to.client.embeddings.create(model="large", input="Hello")
    assert caught[0].code == "unknown_url"
    with raising(openai.NotFoundError):
        to.client.responses.create(model="large", input="Hello")


def check_a_wrong_key_is_an_authentication_error(to: Setting) -> None:
    with raising(openai.AuthenticationError) as caught:
        to.client.with_options(api_key="sk-wrong").chat.completions.create(**to.ask("plain"))
    assert caught[0].code == "invalid_api_key"
    with raising(openai.AuthenticationError):
        to.client.with_options(api_key="sk-wrong").models.list()


def check_a_policy_refusal_is_final(to: Setting) -> None:
    asked = to.ask("plain")
    asked["messages"].append({"role": "user", "content": "My IBAN is DE89 3704 0044 0532 0130 00."})
    with raising(openai.PermissionDeniedError) as caught:
        to.client.with_options(max_retries=2).chat.completions.create(**asked)
    assert (caught[0].code, caught[0].type) == ("model_not_permitted", "policy_error")
    assert caught[0].response.headers["x-should-retry"] == "false"
    assert to.received(asked) == []


def check_a_busy_upstream_is_asked_again_when_it_said(to: Setting) -> None:
    asked = to.ask("busy-once")
    began = time.monotonic()
    answer = to.client.with_options(max_retries=1).chat.completions.create(**asked)
    assert answer.choices[0].message.content == "Hello."
    assert time.monotonic() - began >= 1
    assert len(to.received(asked)) == 2


def check_a_busy_upstream_is_a_rate_limit_error(to: Setting) -> None:
    with raising(openai.RateLimitError) as caught:
        to.client.chat.completions.create(**to.ask("busy"))
    assert caught[0].code == "upstream_busy"
    assert caught[0].response.headers["retry-after"] == "1"


def check_a_failing_upstream_is_tried_as_often_as_the_client_wants(to: Setting) -> None:
    asked = to.ask("broken")
    with raising(openai.InternalServerError) as caught:
        to.client.with_options(max_retries=1).chat.completions.create(**asked)
    assert (caught[0].status_code, caught[0].code) == (502, "upstream_broke")
    assert len(to.received(asked)) == 2


def check_what_the_operator_has_to_mend_is_asked_once(to: Setting) -> None:
    for scenario, kind, code in (
        ("key-refused", openai.InternalServerError, "upstream_auth"),
        ("quota", openai.RateLimitError, "upstream_quota"),
    ):
        asked = to.ask(scenario)
        with raising(kind) as caught:
            to.client.with_options(max_retries=2).chat.completions.create(**asked)
        assert caught[0].code == code
        assert len(to.received(asked)) == 1


def check_an_upstream_that_rejects_the_request_is_asked_once(to: Setting) -> None:
    asked = to.ask("rejected", temperature=1.5)
    with raising(openai.BadRequestError) as caught:
        to.client.with_options(max_retries=2).chat.completions.create(**asked)
    assert (caught[0].code, caught[0].param) == ("unsupported_value", "temperature")
    assert len(to.received(asked)) == 1


def check_a_prompt_that_is_too_long_is_told_as_one(to: Setting) -> None:
    with raising(openai.BadRequestError) as caught:
        to.client.chat.completions.create(**to.ask("too-long"))
    assert (caught[0].code, caught[0].param) == ("context_length_exceeded", "messages")


def check_a_silent_upstream_is_a_timeout(to: Setting) -> None:
    with raising(openai.InternalServerError) as caught:
        to.client.chat.completions.create(**to.ask("silent") | {"model": "hasty"})
    assert (caught[0].status_code, caught[0].code) == (504, "upstream_timeout")


def check_an_upstream_that_is_not_there(to: Setting) -> None:
    with raising(openai.InternalServerError) as caught:
        to.client.chat.completions.create(**to.ask("plain") | {"model": "gone"})
    assert (caught[0].status_code, caught[0].code) == (502, "upstream_unreachable")


def check_no_local_model_is_a_503_that_says_when_to_come_back(to: Setting) -> None:
    with raising(openai.InternalServerError) as caught:
        to.client.chat.completions.create(**to.ask("plain") | {"model": "local"})
    assert (caught[0].status_code, caught[0].code) == (503, "local_unavailable")
    assert int(caught[0].response.headers["retry-after"]) >= 1


def check_a_body_that_is_too_large_is_refused_once(to: Setting) -> None:
    asked = to.ask("plain")
    asked["messages"].append({"role": "user", "content": "a" * 2_500_000})
    with raising(openai.APIStatusError) as caught:
        to.client.with_options(max_retries=2).chat.completions.create(**asked)
    assert (caught[0].status_code, caught[0].code) == (413, "request_too_large")


def check_an_error_in_mid_stream_is_raised(to: Setting) -> None:
    for scenario in ("error-event", "broken-off"):
        text = ""
        with raising(openai.APIError) as caught:
            for chunk in to.client.chat.completions.create(**to.ask(scenario, stream=True)):
                text += chunk.choices[0].delta.content or ""
        assert text == "Hel", scenario
        assert (caught[0].code, caught[0].type) == ("upstream_broke", "upstream_error"), scenario


def check_an_error_after_a_ping_is_raised(to: Setting) -> None:
    with raising(openai.APIError) as caught:
        list(to.client.chat.completions.create(**to.ask("late-failure", stream=True)))
    assert caught[0].code == "upstream_broke"


def run(checks: Mapping[str, Any], to: Any, aclient: openai.AsyncOpenAI) -> None:
    """Every check in order, each told of in one line; an async client lives in one event loop."""
    print(json.dumps({"client": openai.__version__}), flush=True)
    with asyncio.Runner() as runner:
        for name, check in checks.items():
            if not name.startswith("check_"):
                continue
            problem, began = None, time.monotonic()
            try:
                if inspect.iscoroutinefunction(check):
                    runner.run(check(to))
                else:
                    check(to)
            except Exception:
                problem = traceback.format_exc()
            took_s = round(time.monotonic() - began, 3)
            print(json.dumps({"check": name.removeprefix("check_"), "problem": problem, "took_s": took_s}), flush=True)
        runner.run(aclient.close())


def main(base_url: str, upstream: str, key: str) -> None:
    client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=60)
    aclient = openai.AsyncOpenAI(base_url=base_url, api_key=key, max_retries=0, timeout=60)
    run(globals().copy(), Setting(client, aclient, upstream), aclient)


if __name__ == "__main__":
    main(*sys.argv[1:])

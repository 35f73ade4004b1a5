"""What a request may look like: passed on, accepted and named as dropped, or refused by the field's name."""

from __future__ import annotations

from typing import Any, ClassVar

import httpx
import pytest

from gateway.engine.ask import HONOURED, parse_ask
from gateway.engine.ask import REFUSED as REFUSED_BY_NAME
from tests.support.capture import CaptureServer
from tests.support.serving import Serving

USER = {"role": "user", "content": "Why is the sky blue?"}
EMPTY = {"role": "assistant", "content": ""}
FUNCTION = {"name": "weather", "arguments": "{}"}
CALL = {"id": "call_a", "type": "function", "function": FUNCTION}
TOOL = {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
SCHEMA = {"type": "json_schema", "json_schema": {"name": "city", "schema": {"type": "object", "properties": {}}}}


def ask(gateway: Serving, headers: Any = None, **body: Any) -> httpx.Response:
    return gateway.post({"model": "large", "messages": [USER]} | body, headers=headers)


# field → what is sent, and what must reach the upstream (None: nothing of it)
PASSED: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "max_tokens": ({"max_tokens": 9}, {"max_tokens": 9}),
    "max_completion_tokens under the name the upstream reads": ({"max_completion_tokens": 9}, {"max_tokens": 9}),
    "both limits: the newer one counts": ({"max_tokens": 5, "max_completion_tokens": 9}, {"max_tokens": 9}),
    "stop as a string": ({"stop": "END"}, {"stop": "END"}),
    "stop as a list": ({"stop": ["a", "b"]}, {"stop": ["a", "b"]}),
    "whole numbers where fractions are usual": ({"temperature": 1, "top_p": 1}, {"temperature": 1, "top_p": 1}),
    "n and seed": ({"n": 2, "seed": -3}, {"n": 2, "seed": -3}),
    "logit_bias": ({"logit_bias": {"50256": -100}}, {"logit_bias": {"50256": -100}}),
    "logprobs": ({"logprobs": True, "top_logprobs": 3}, {"logprobs": True, "top_logprobs": 3}),
    "response_format json_object": (
        {"response_format": {"type": "json_object"}},
        {"response_format": {"type": "json_object"}},
    ),
    "response_format json_schema": ({"response_format": SCHEMA}, {"response_format": SCHEMA}),
    "tools with a named choice": (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "weather"}}},
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "weather"}}},
    ),
    "parallel_tool_calls": (
        {"tools": [TOOL], "parallel_tool_calls": False},
        {"tools": [TOOL], "parallel_tool_calls": False},
    ),
    "null is absent": ({"temperature": None, "stop": None, "tools": None, "stream": None, "user": None}, {}),
    "null inside is absent": ({"stream": True, "stream_options": {"include_usage": None}}, {"stream": True}),
}


@pytest.mark.parametrize("case", PASSED)
def test_it_reaches_the_upstream(gateway: Serving, upstream: CaptureServer, case: str) -> None:
    sent, wanted = PASSED[case]
    answer = ask(gateway, **sent)
    assert answer.status_code == 200, answer.text
    assert "x-gateway-dropped" not in answer.headers
    body = upstream.requests[0].json
    assert {key: body[key] for key in wanted} == wanted
    own = {"model", "messages", "stream", "stream_options", "store"}
    assert body.keys() - own - wanted.keys() == set()


MESSAGES: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "content as text": ([USER], [USER]),
    "content as parts": (
        [{"role": "user", "content": [{"type": "text", "text": "Why?"}]}],
        [{"role": "user", "content": [{"type": "text", "text": "Why?"}]}],
    ),
    "developer becomes system for a server that is not OpenAI's": (
        [{"role": "developer", "content": "Be brief."}, USER],
        [{"role": "system", "content": "Be brief."}, USER],
    ),
    "two system messages": (
        [{"role": "system", "content": "a"}, {"role": "system", "content": "b"}, USER],
        [{"role": "system", "content": "a"}, {"role": "system", "content": "b"}, USER],
    ),
    "assistant content null beside tool calls": (
        [
            USER,
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_a", "content": "4"},
        ],
        [
            USER,
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_a", "content": "4"},
        ],
    ),
    "assistant content missing beside tool calls": (
        [
            USER,
            {"role": "assistant", "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_a", "content": [{"type": "text", "text": "4"}]},
        ],
        [
            USER,
            {"role": "assistant", "content": None, "tool_calls": [CALL]},
            {"role": "tool", "tool_call_id": "call_a", "content": [{"type": "text", "text": "4"}]},
        ],
    ),
    "null fields in a message": ([USER | {"name": None, "tool_calls": None}], [USER]),
    "an assistant's last word": (
        [USER, {"role": "assistant", "content": ""}],
        [USER, {"role": "assistant", "content": ""}],
    ),
}


@pytest.mark.parametrize("case", MESSAGES)
def test_messages_reach_the_upstream(gateway: Serving, upstream: CaptureServer, case: str) -> None:
    sent, wanted = MESSAGES[case]
    answer = ask(gateway, messages=sent)
    assert answer.status_code == 200, answer.text
    assert upstream.requests[0].json["messages"] == wanted


def test_fields_that_clients_add_are_accepted_and_named_as_dropped(gateway: Serving, upstream: CaptureServer) -> None:
    added = {
        "user": "u-1",
        "metadata": {"chat": "1"},
        "store": True,
        "service_tier": "auto",
        "prompt_cache_key": "k",
        "chat_template_kwargs": {"enable_thinking": False},
        "x y\r\nx-evil: 1": 1,
    }
    answer = ask(gateway, **added)
    assert answer.status_code == 200
    names = set(answer.headers["x-gateway-dropped"].split(","))
    assert names == {"user", "metadata", "store", "service_tier", "prompt_cache_key", "chat_template_kwargs", "?"}
    assert "x-evil" not in answer.headers
    assert upstream.requests[0].json.keys() == {"model", "messages", "stream", "store"}
    assert upstream.requests[0].json["store"] is False


def test_a_local_answer_names_what_it_leaves_aside(gateway: Serving) -> None:
    answer = ask(gateway, model="local", user="u-1", service_tier="auto", max_tokens=5, stop=None, **{"ü\n": 1})
    assert answer.status_code == 200
    assert answer.headers["x-gateway-dropped"] == "?,service_tier,user"
    assert "x-gateway-dropped" not in ask(gateway, model="local", max_tokens=5, stop="x", seed=1).headers


def test_the_engine_reads_every_field_that_it_claims_to_honour_and_no_other() -> None:
    class Read(dict[str, Any]):
        names: ClassVar[set[str]] = set()

        def get(self, name: str, default: Any = None) -> Any:
            self.names.add(name)
            return super().get(name, default)

    for body in ({}, {"max_completion_tokens": 1}):
        parse_ask(Read(body))
    refused = {"modalities", *REFUSED_BY_NAME}
    outside = {"model", "messages", "stream", "stream_options"}
    assert Read.names - refused == HONOURED - outside


def test_however_many_fields_are_dropped_the_header_stays_short(gateway: Serving, upstream: CaptureServer) -> None:
    for model in ("local", "large"):
        answer = ask(gateway, model=model, **{f"field_{n}": n for n in range(5000)})
        assert answer.status_code == 200
        assert len(answer.headers["x-gateway-dropped"]) < 2500
        assert answer.headers["x-gateway-dropped"].endswith(",...")


# note → body, param, and a word of the message
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "no messages": ({"messages": []}, "messages"),
    "messages of the wrong type": ({"messages": "Hello"}, "messages"),
    "model of the wrong type": ({"model": 3}, "model"),
    "model empty": ({"model": ""}, "model"),
    "a role nobody knows": ({"messages": [{"role": "wizard", "content": "x"}]}, "messages[0].role"),
    "no role": ({"messages": [{"content": "x"}]}, "messages[0].role"),
    "content of the wrong type": ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content"),
    "a part without a type": (
        {"messages": [{"role": "user", "content": [{"text": "x"}]}]},
        "messages[0].content[0].type",
    ),
    "a user's content null": ({"messages": [{"role": "user", "content": None}]}, "messages[0].content"),
    "a tool message without its call": (
        {"messages": [USER, {"role": "tool", "tool_call_id": "call_x", "content": "4"}]},
        "messages[1].tool_call_id",
    ),
    "arguments that are not text": (
        {"messages": [{"role": "assistant", "tool_calls": [CALL | {"function": {"name": "f", "arguments": {}}}]}]},
        "messages[0].tool_calls[0].function.arguments",
    ),
    "temperature too high": ({"temperature": 2.1}, "temperature"),
    "temperature as text": ({"temperature": "0.5"}, "temperature"),
    "temperature as true": ({"temperature": True}, "temperature"),
    "n of zero": ({"n": 0}, "n"),
    "n too large": ({"n": 1000}, "n"),
    "no tokens": ({"max_tokens": 0}, "max_tokens"),
    "a fraction of a token": ({"max_completion_tokens": 1.5}, "max_completion_tokens"),
    "a seed beyond all numbers": ({"seed": 10**30}, "seed"),
    "stop of numbers": ({"stop": [1]}, "stop[0]"),
    "too many stops": ({"stop": ["x"] * 17}, "stop"),
    "stream as text": ({"stream": "yes"}, "stream"),
    "stream_options without stream": ({"stream_options": {"include_usage": True}}, "stream_options"),
    "top_logprobs without logprobs": ({"top_logprobs": 2}, "top_logprobs"),
    "a format nobody knows": ({"response_format": {"type": "xml"}}, "response_format.type"),
    "a json_schema without one": ({"response_format": {"type": "json_schema"}}, "response_format"),
    "tool_choice without tools": ({"tool_choice": "required"}, "tool_choice"),
    "a named tool_choice without tools": (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        "tool_choice",
    ),
    "logit_bias out of bounds": ({"logit_bias": {"1": 101}}, "logit_bias"),
    "logit_bias of a token that no vocabulary has": ({"logit_bias": {"9" * 30: 1}}, "logit_bias"),
    "logit_bias of an endless number": ({"logit_bias": {"9" * 100_000: 1}}, "logit_bias"),
    "logit_bias by word": ({"logit_bias": {"word": 1}}, "logit_bias"),
    "logit_bias as a list": ({"logit_bias": [1]}, "logit_bias"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_it_is_refused_by_name_and_nothing_leaves(gateway: Serving, upstream: CaptureServer, case: str) -> None:
    body, param = REFUSED[case]
    answer = ask(gateway, **body)
    assert answer.status_code == 400, answer.text
    error = answer.json()["error"]
    assert (error["type"], error["param"]) == ("invalid_request_error", param)
    assert error["code"] in {"invalid_value", "unsupported_parameter"}
    assert f"'{param}" in error["message"]
    assert upstream.requests == []


# What changes the answer and cannot be honoured here is refused by name, never ignored.
LOCAL_LACKS: dict[str, tuple[dict[str, Any], str]] = {
    "tools": ({"tools": [TOOL]}, "tools"),
    "logprobs": ({"logprobs": True}, "logprobs"),
    "a schema": ({"response_format": SCHEMA}, "response_format"),
}


@pytest.mark.parametrize("case", LOCAL_LACKS)
def test_what_the_local_model_cannot_honour_is_refused_by_name(gateway: Serving, case: str) -> None:
    body, param = LOCAL_LACKS[case]
    answer = ask(gateway, model="local", **body)
    assert answer.status_code == 400, answer.text
    assert (answer.json()["error"]["param"], answer.json()["error"]["code"]) == (param, "unsupported_parameter")
    assert answer.headers["x-should-retry"] == "false"


def test_an_image_that_must_stay_is_unsupported_content(gateway: Serving, upstream: CaptureServer) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    answer = ask(gateway, messages=[{"role": "user", "content": [picture]}])
    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "unsupported_content"
    assert answer.headers["x-should-retry"] == "false"
    assert upstream.requests == []


NAMES = {
    "auto": "local",
    "local": "local",
    "smollm2-135m-instruct": "local",
    "large": "large",
    "vendor/gpt-4.1": "large",
}


@pytest.mark.parametrize(("name", "backend"), NAMES.items())
def test_a_model_is_meant_by_each_of_its_names_and_echoed_as_asked(
    gateway: Serving, upstream: CaptureServer, name: str, backend: str
) -> None:
    answer = ask(gateway, model=name)
    assert answer.headers["x-gateway-backend"] == backend
    assert answer.json()["model"] == name
    assert len(upstream.requests) == (backend == "large")


@pytest.mark.parametrize("name", ["gpt-9", "LARGE", "capture-1", "large "])
def test_a_model_nobody_offers_is_not_found(gateway: Serving, upstream: CaptureServer, name: str) -> None:
    answer = ask(gateway, model=name)
    assert answer.status_code == 404
    error = answer.json()["error"]
    assert (error["code"], error["param"], error["type"]) == ("model_not_found", "model", "invalid_request_error")
    assert upstream.requests == []


# level asked for → whether the harmless request still leaves
LEVELS = {"public": True, "internal": True, "CONFIDENTIAL": False, "restricted": False, "unknown": False}


@pytest.mark.parametrize(("level", "leaves"), LEVELS.items())
def test_a_client_may_raise_the_level_and_never_lower_it(
    gateway: Serving, upstream: CaptureServer, level: str, leaves: bool
) -> None:
    answer = ask(gateway, {"x-gateway-sensitivity": level})
    assert answer.headers["x-gateway-zone"] == ("remote" if leaves else "local")
    private = [{"role": "user", "content": "Explain my IBAN DE89 3704 0044 0532 0130 00."}]
    assert ask(gateway, {"x-gateway-sensitivity": level}, messages=private).headers["x-gateway-zone"] == "local"
    assert len(upstream.requests) == leaves


def test_a_level_told_twice_is_none(gateway: Serving, upstream: CaptureServer) -> None:
    """Neither hides the other, whichever came last."""
    headers = [("x-gateway-sensitivity", "restricted"), ("x-gateway-sensitivity", "public")]
    assert ask(gateway, headers).status_code == 400
    assert upstream.requests == []


@pytest.mark.parametrize("level", ["", "secret", "3", "public, restricted"])
def test_a_level_that_is_none_is_refused(gateway: Serving, upstream: CaptureServer, level: str) -> None:
    answer = ask(gateway, {"x-gateway-sensitivity": level})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "x-gateway-sensitivity"
    assert upstream.requests == []

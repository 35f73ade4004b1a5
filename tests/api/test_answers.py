"""The body of an answer that is not streamed, and the errors that upstreams cause: each trap by its name."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.streams import chunks_of, deltas_of, streamed, text_of
from tests.support.capture import Answer, CaptureServer, body, completion, cut_before_answer, error, event, events
from tests.support.serving import Serving

CALLS = [
    {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Lyon"}'}},
    {"id": "call_b", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Turin"}'}},
]


def message(gateway: Serving, upstream: CaptureServer, answer: Answer) -> dict[str, Any]:
    """The first choice of what the client gets when the upstream answers so."""
    upstream.always(answer)
    got = gateway.ask("Why is the sky blue?", model="large")
    assert got.status_code == 200, got.text
    choice: dict[str, Any] = got.json()["choices"][0]
    return choice


def test_a_body_has_every_field_that_clients_validate(gateway: Serving, upstream: CaptureServer) -> None:
    answer = gateway.ask("Why is the sky blue?", model="large")
    assert answer.headers["content-type"] == "application/json"
    assert int(answer.headers["content-length"]) == len(answer.content)
    whole = answer.json()
    assert whole.keys() == {"id", "object", "created", "model", "choices", "usage"}
    assert whole["id"].startswith("chatcmpl-")
    assert type(whole["created"]) is int
    assert whole["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Hello.", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ]
    assert whole["usage"] == {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9}


def test_content_is_null_beside_tool_calls_whose_arguments_are_text(gateway: Serving, upstream: CaptureServer) -> None:
    choice = message(gateway, upstream, completion(None, finish="tool_calls", message={"tool_calls": CALLS}))
    assert choice["message"] == {"role": "assistant", "content": None, "refusal": None, "tool_calls": CALLS}
    assert choice["finish_reason"] == "tool_calls"


def test_an_answer_without_text_has_empty_text_and_not_null(gateway: Serving, upstream: CaptureServer) -> None:
    assert message(gateway, upstream, completion(None))["message"]["content"] == ""


def test_a_call_cut_by_the_limit_is_not_told_as_complete(gateway: Serving, upstream: CaptureServer) -> None:
    cut = [CALLS[0] | {"function": {"name": "weather", "arguments": '{"ci'}}]
    choice = message(gateway, upstream, completion(None, finish="length", message={"tool_calls": cut}))
    assert choice["finish_reason"] == "length"


def test_a_custom_tool_call_keeps_its_input(gateway: Serving, upstream: CaptureServer) -> None:
    custom = {"id": "call_a", "type": "custom", "custom": {"name": "shell", "input": "ls"}}
    choice = message(gateway, upstream, completion(None, finish="tool_calls", message={"tool_calls": [custom]}))
    assert choice["message"]["tool_calls"] == [custom]


def test_usage_details_are_passed_on(gateway: Serving, upstream: CaptureServer) -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 3}, "completion_tokens_details": {"reasoning_tokens": 1}}
    usage = {"prompt_tokens": 7, "completion_tokens": 2, "total_tokens": 9, **details}
    choices = [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}]
    upstream.always(body({"id": "x", "choices": choices, "usage": usage}))
    assert gateway.ask("Why?", model="large").json()["usage"] == usage


def test_parallel_calls_with_the_same_index_are_not_merged(gateway: Serving, upstream: CaptureServer) -> None:
    upstream.always(
        events(
            *(event({"tool_calls": [{"index": 0, **call}]}) for call in CALLS),
            event({}, finish="tool_calls"),
        )
    )
    opened = [call for delta in deltas_of(chunks_of(streamed(gateway))) for call in delta.get("tool_calls", ())]
    assert [(call["index"], call["id"]) for call in opened] == [(0, "call_a"), (1, "call_b")]


def test_reasoning_is_streamed_beside_the_content(gateway: Serving, upstream: CaptureServer) -> None:
    upstream.always(events(event({"reasoning": "Six"}), event({"content": "42"}), event({}, finish="stop")))
    chunks = chunks_of(streamed(gateway))
    assert [delta["reasoning_content"] for delta in deltas_of(chunks) if "reasoning_content" in delta] == ["Six"]
    assert text_of(chunks) == "42"


# the upstream's answer → status, code, and whether the client should try again (None: it decides by the status)
FAILURES: dict[str, tuple[Answer, int, str, str | None]] = {
    "400": (error(400), 400, "upstream_rejected", "false"),
    "400 with a known code": (error(400, code="context_length_exceeded"), 400, "context_length_exceeded", "false"),
    "401": (error(401), 502, "upstream_auth", "false"),
    "404": (error(404, code="model_not_found"), 502, "upstream_not_found", "false"),
    "408": (error(408), 504, "upstream_timeout", None),
    "409 is no conflict of the client's": (error(409), 502, "upstream_broke", None),
    "422": (error(422), 400, "upstream_rejected", "false"),
    "429": (error(429, retry_after="7"), 429, "upstream_busy", None),
    "429 for a used-up quota": (error(429, code="insufficient_quota"), 429, "upstream_quota", "false"),
    "500": (error(500), 502, "upstream_broke", None),
    "503": (error(503), 502, "upstream_broke", None),
    "a page of HTML": (body(b"<html>Bad gateway</html>"), 502, "upstream_broke", None),
    "nothing": (cut_before_answer(), 502, "upstream_broke", None),
    "a choice that nobody asked for": (events(event({"content": "x"}, index=10**9)), 502, "upstream_broke", None),
    "no choices": (body({"choices": []}), 502, "upstream_broke", None),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", FAILURES)
def test_a_failure_before_the_first_piece_is_a_status_of_its_own(
    gateway: Serving, upstream: CaptureServer, case: str, stream: bool
) -> None:
    scripted, status, code, retry = FAILURES[case]
    upstream.always(scripted)
    answer = gateway.ask("Why is the sky blue?", model="large", stream=stream)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers.get("x-should-retry") == retry
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.headers["x-gateway-backend"] == "large"
    assert "the upstream's prose" not in answer.text
    assert len(upstream.requests) == 1


def test_an_upstream_that_says_when_to_come_back_is_quoted(gateway: Serving, upstream: CaptureServer) -> None:
    upstream.always(error(429, retry_after="7"))
    assert gateway.ask("Why?", model="large").headers["retry-after"] == "7"


def test_an_error_after_a_ping_is_an_event(gateway: Serving, upstream: CaptureServer) -> None:
    upstream.always(error(500).but(delay_s=0.5))
    answer = streamed(gateway)
    assert answer.status_code == 200
    pings, last = answer.text.rsplit("data: ", 1)
    assert pings.replace(": ping\n\n", "") == ""
    assert '"code":"upstream_broke"' in last
    assert "[DONE]" not in answer.text


def test_pings_come_between_events_and_only_in_silence(gateway: Serving, upstream: CaptureServer) -> None:
    upstream.always(events(event({"content": "a"}), event({"content": "b"}), event({}, finish="stop")).but(gap_s=0.5))
    answer = streamed(gateway)
    assert answer.content.count(b": ping\n\n") >= 2
    assert answer.content.startswith((b": ping\n\n", b"data: "))
    assert text_of(chunks_of(answer)) == "ab"

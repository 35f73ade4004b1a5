"""Only known fields go out: one request with every field of OpenAI's schema, and what the outside got of it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.capture import CaptureServer, completion
from tests.support.serving import Serving

HARD = "Prove that the square root of 2 is irrational, then generalise to any prime."
TOOL = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}

SENT: dict[str, Any] = {
    "messages": [
        {"role": "developer", "content": "Be brief."},
        {"role": "user", "content": [{"type": "text", "text": HARD}], "name": "anna"},
    ],
    "frequency_penalty": 0.1,
    "logit_bias": {"50256": -100},
    "logprobs": True,
    "top_logprobs": 2,
    "max_completion_tokens": 50,
    "n": 2,
    "parallel_tool_calls": False,
    "presence_penalty": 0.1,
    "reasoning_effort": "low",
    "response_format": {"type": "text"},
    "seed": 7,
    "stop": ["END"],
    "temperature": 0.3,
    "tool_choice": "auto",
    "tools": [TOOL],
    "top_p": 0.9,
    "verbosity": "low",
}
DROPPED: dict[str, Any] = {
    "metadata": {"team": "x"},
    "modalities": ["text"],
    "prediction": {"type": "content", "content": "Let p/q be"},
    "prompt_cache_key": "k",
    "prompt_cache_retention": "24h",
    "safety_identifier": "s",
    "service_tier": "auto",
    "store": True,
    "user": "anna",
    "web_search_options": {"user_location": {"type": "approximate", "approximate": {"city": "Rome"}}},
    "audio": {"voice": "alloy", "format": "mp3"},
    "callback_url": "https://evil.example/hook",
    "api_base": "https://evil.example/v1",
    "extra_headers": {"authorization": "Bearer x"},
}


@pytest.fixture
def gateway(canned: Serving, outside: CaptureServer) -> Serving:
    outside.clear()
    return canned


@pytest.mark.parametrize("streamed", [False, True], ids=["whole", "streamed"])
def test_of_every_field_there_is_only_the_known_ones_go_out(
    gateway: Serving, outside: CaptureServer, streamed: bool
) -> None:
    if not streamed:
        outside.answer(completion(n=2))
    options = {"stream": True, "stream_options": {"include_usage": False}} if streamed else {}
    answer = gateway.post({"model": "large", **SENT, **DROPPED, **options})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-gateway-zone"] == "remote"
    (sent,) = outside.requests
    own = {"model": "capture-1", "store": False, "stream": streamed}
    asked = {"stream_options": {"include_usage": True}} if streamed else {}
    renamed = {name: value for name, value in SENT.items() if name != "max_completion_tokens"}
    messages = [{**SENT["messages"][0], "role": "system"}, SENT["messages"][1]]
    assert sent.json == {**renamed, **own, **asked, "max_tokens": 50, "messages": messages}
    assert set(answer.headers["x-gateway-dropped"].replace(" ", "").split(",")) == set(DROPPED)
    assert b"evil.example" not in outside.received
    assert b"Rome" not in outside.received


@pytest.mark.parametrize(
    ("param", "value"),
    [("functions", [{"name": "f"}]), ("function_call", "auto")],
)
def test_a_field_that_can_neither_be_sent_nor_dropped_is_refused_by_name(
    gateway: Serving, outside: CaptureServer, param: str, value: Any
) -> None:
    answer = gateway.ask(HARD, **{param: value}, model="large")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    assert outside.received == b""


def test_an_answer_as_audio_cannot_be_had_and_is_not_asked_for(gateway: Serving, outside: CaptureServer) -> None:
    assert gateway.ask(HARD, modalities=["text", "audio"], model="large").status_code == 400
    assert outside.received == b""


def test_an_image_by_address_is_not_sent_for_a_vendor_to_fetch(gateway: Serving, outside: CaptureServer) -> None:
    image = {"type": "image_url", "image_url": {"url": "https://internal.example/secret.png"}}
    content = [{"type": "text", "text": HARD}, image]
    answer = gateway.post({"model": "large", "messages": [{"role": "user", "content": content}]})
    assert answer.status_code == 400
    assert outside.received == b""

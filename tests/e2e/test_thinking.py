"""A history made by one model goes to another: what the first one thought stays behind, and the client is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.capture import CaptureServer
from tests.support.serving import Serving

THOUGHT = "EqQBCgIYAhIkMGY2ZDhmNzAtNjU3"
HISTORY: list[dict[str, Any]] = [
    {"role": "user", "content": "What is the capital of France?"},
    {
        "role": "assistant",
        "content": [
            {"type": "thinking", "thinking": "France, so Paris.", "signature": THOUGHT},
            {"type": "redacted_thinking", "data": THOUGHT},
            {"type": "text", "text": "Paris."},
        ],
        "reasoning_content": "France, so Paris.",
    },
]
NAMES = {
    "messages[].content[].redacted_thinking",
    "messages[].content[].thinking",
    "messages[].reasoning_content",
}


@pytest.fixture
def gateway(canned: Serving) -> Serving:
    return canned


@pytest.mark.parametrize(
    ("ask", "zone"),
    [("Now prove that the square root of 2 is irrational, in full.", "remote"), ("Thanks!", "local")],
)
def test_signed_thinking_goes_nowhere_and_is_named(
    gateway: Serving, outside: CaptureServer, ask: str, zone: str
) -> None:
    outside.clear()
    answer = gateway.post({"model": "auto", "messages": [*HISTORY, {"role": "user", "content": ask}]})
    assert answer.status_code == 200, answer.text
    assert answer.headers["x-gateway-zone"] == zone
    assert set(answer.headers["x-gateway-dropped"].replace(" ", "").split(",")) == NAMES
    assert THOUGHT.encode() not in outside.received
    assert b"so Paris" not in outside.received
    assert (b"Paris." in outside.received) == (zone == "remote")

"""A conversation stays on the side that answered it; bad input at the edge never breaks the line."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.capture import CaptureServer
from tests.support.serving import Serving

HARD = "Prove that the square root of 2 is irrational, then generalise to any prime."
MIDDLING = "Write a letter from Anna to the landlord about the heating"
IBAN = "My IBAN is DE89 3704 0044 0532 0130 00. " + MIDDLING


@pytest.fixture
def gateway(canned: Serving) -> Serving:
    return canned


def say(gateway: Serving, *asks: str) -> dict[str, Any]:
    """The last turn of a conversation whose earlier asks were answered before; its `decided` record's facts."""
    turns: list[dict[str, str]] = []
    for ask in asks:
        turns.append({"role": "user", "content": ask})
        answer = gateway.post({"model": "auto", "messages": turns})
        assert answer.status_code == 200, answer.text
        turns.append({"role": "assistant", "content": "Well."})
    [decided] = [each for each in gateway.of(answer.headers["x-request-id"]) if each["event"] == "decided"]
    return dict(decided["facts"])


def test_a_middling_turn_leans_towards_the_side_of_the_one_before(gateway: Serving) -> None:
    alone = say(gateway, MIDDLING)
    out = say(gateway, HARD, MIDDLING)
    home = say(gateway, "Hello!", MIDDLING)
    assert "stays" not in alone["scorer"]
    assert out["scorer"].endswith("stays:out")
    assert home["scorer"].endswith("stays:home")
    assert home["gain"] < alone["gain"] < out["gain"]
    assert out["gain"] - home["gain"] == pytest.approx(0.1, abs=0.02)


def test_what_is_private_stays_wherever_its_conversation_was(gateway: Serving, outside: CaptureServer) -> None:
    outside.clear()
    say(gateway, HARD, IBAN)
    assert b"DE89" not in outside.received


@pytest.mark.parametrize(
    "text",
    ["", " \n", "🙂", "a" * 100_000, "\u202e" * 1000, "𒀀𒁀𒂀 " * 50, "[(" * 50_000, "<context>" * 10_000, "1" * 100_000],
    ids=["empty", "blank", "emoji", "one letter", "direction", "cuneiform", "brackets", "tags", "digits"],
)
def test_what_hardly_is_a_text_is_answered(gateway: Serving, text: str) -> None:
    assert gateway.ask(text).status_code == 200


@pytest.mark.parametrize(
    "messages",
    [[], "hello", [["user", "hello"]], [{"role": "user", "content": {"text": "hello"}}], [{"role": ["user"]}]],
    ids=["none", "text", "lists", "an object", "a role that is a list"],
)
def test_what_is_no_conversation_is_refused_by_name(gateway: Serving, messages: Any) -> None:
    answer = gateway.post({"model": "auto", "messages": messages})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"].startswith("messages")

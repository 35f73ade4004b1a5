"""What an answer was made from comes back with it: in histories that were cut, in summaries, in title calls."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.capture import CaptureServer
from tests.support.serving import Serving

pytestmark = pytest.mark.model

PRIVATE = "My account is DE89 3704 0044 0532 0130 00. Write me a friendly letter to my bank about a lost card."
HARD = "Prove that the square root of 2 is irrational, then generalise to any prime."


def say(gateway: Serving, *messages: tuple[str, str], **headers: str) -> httpx.Response:
    body: dict[str, Any] = {
        "model": "auto",
        "max_tokens": 60,
        "temperature": 0,
        "messages": [{"role": role, "content": text} for role, text in messages],
    }
    return gateway.post(body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def text_of(answer: httpx.Response) -> str:
    return str(answer.json()["choices"][0]["message"]["content"])


@pytest.fixture
def letter(gateway: Serving) -> str:
    """An answer of the local model to something private. It holds nothing that a detector would find."""
    answer = say(gateway, ("user", PRIVATE))
    assert answer.headers["x-gateway-zone"] == "local"
    text = text_of(answer)
    assert len(text) > 120
    return text


def test_an_answer_to_something_private_stays_home_when_its_question_is_cut_off(
    gateway: Serving, outside: CaptureServer, letter: str
) -> None:
    answer = say(gateway, ("assistant", letter), ("user", HARD))
    assert answer.headers["x-gateway-zone"] == "local"
    assert outside.requests == []


def test_and_when_a_title_call_quotes_it(gateway: Serving, outside: CaptureServer, letter: str) -> None:
    quoted = f"### Chat:\nASSISTANT: {letter}\n\nGive this chat a title. Then: {HARD}"
    assert say(gateway, ("user", quoted)).headers["x-gateway-zone"] == "local"
    assert outside.requests == []


def test_two_chats_that_begin_alike_stay_two(gateway: Serving, outside: CaptureServer, letter: str) -> None:
    private = say(gateway, ("user", "Hi"), ("assistant", "Hello!"), ("user", PRIVATE))
    public = say(gateway, ("user", "Hi"), ("assistant", "Hello!"), ("user", HARD))
    assert (private.headers["x-gateway-zone"], public.headers["x-gateway-zone"]) == ("local", "remote")


def test_a_conversation_with_an_id_keeps_its_level(gateway: Serving, outside: CaptureServer) -> None:
    say(gateway, ("user", PRIVATE), x_conversation_id="c1")
    same = say(gateway, ("user", HARD), x_conversation_id="c1")
    other = say(gateway, ("user", HARD), x_conversation_id="c2")
    assert (same.headers["x-gateway-zone"], other.headers["x-gateway-zone"]) == ("local", "remote")


def test_the_log_says_what_was_remembered(gateway: Serving, letter: str) -> None:
    answer = say(gateway, ("assistant", letter), ("user", HARD))
    decided = next(record for record in gateway.of(answer.headers["x-request-id"]) if record["event"] == "decided")
    found = decided["facts"]["findings"]
    assert "iban" in {finding["kind"] for finding in found}
    assert all(finding.get("remembered") for finding in found)

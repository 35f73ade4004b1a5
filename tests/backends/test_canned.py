"""The labelled stand-ins: every answer says what it is, and none repeats what was asked."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.backends.canned import CannedLocal, CannedRemote
from gateway.core.errors import Unsupported
from gateway.core.types import Zone
from tests.support.capture import CaptureServer
from tests.support.remote import answer_of, finishes, local_answer_of, make_spec, text_of, usage_told

pytestmark = pytest.mark.anyio

REMOTE = make_spec(wire="canned", host="api.openai.com", model="gpt-4.1")
LOCAL = make_spec("local", Zone.LOCAL, wire="canned", model="smollm2")
SECRET = "DE89 3704 0044"


async def say(kind: str, **request: Any) -> Any:
    if kind == "remote":
        return await answer_of(CannedRemote(REMOTE), **request)
    return await local_answer_of(CannedLocal(LOCAL), **request)


async def test_the_remote_tells_what_would_have_gone_where() -> None:
    asked = [{"role": "user", "content": SECRET}, {"role": "user", "content": SECRET, "id": SECRET}]
    text = text_of(await answer_of(CannedRemote(REMOTE), messages=asked, temperature=0.1, user=SECRET))
    for word in ("[canned]", "'large'", "api.openai.com", "zone remote", "'gpt-4.1'", "2 message", "temperature"):
        assert word in text
    assert "Dropped: messages[].id, user." in text
    assert "DE89" not in text


async def test_the_local_one_tells_that_it_is_none() -> None:
    text = text_of(await local_answer_of(CannedLocal(LOCAL), messages=[{"role": "user", "content": SECRET}]))
    assert text.startswith("[canned]")
    assert "level internal" in text
    assert "DE89" not in text


async def test_nothing_is_sent(capture: CaptureServer) -> None:
    await answer_of(CannedRemote(make_spec(wire="canned", host=f"127.0.0.1:{capture.port}")))
    assert capture.connections == 0


@pytest.mark.parametrize("kind", ["remote", "local"])
async def test_the_same_request_gets_the_same_answer_in_several_pieces(kind: str) -> None:
    first, second = await say(kind), await say(kind)
    assert first == second
    assert len([chunk for chunk in first if chunk.delta]) > 3


@pytest.mark.parametrize("kind", ["remote", "local"])
async def test_the_number_of_choices_is_honoured(kind: str) -> None:
    chunks = await say(kind, n=3)
    assert finishes(chunks) == {0: ["stop"], 1: ["stop"], 2: ["stop"]}
    assert text_of(chunks, 2) == text_of(chunks, 0)


@pytest.mark.parametrize("kind", ["remote", "local"])
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
async def test_the_limit_is_honoured(kind: str, name: str) -> None:
    chunks = await say(kind, **{name: 3})
    assert len(text_of(chunks).split()) == 3
    assert finishes(chunks) == {0: ["length"]}
    assert usage_told(chunks).completion_tokens == 3  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", ["remote", "local"])
@pytest.mark.parametrize("stop", ["host", ["never", "host"]])
async def test_stop_is_honoured(kind: str, stop: Any) -> None:
    text = text_of(await say(kind, stop=stop))
    assert text
    assert "host" not in text


@pytest.mark.parametrize("kind", ["remote", "local"])
@pytest.mark.parametrize(
    ("param", "value"),
    [
        ("logprobs", True),
        ("response_format", {"type": "json_object"}),
        ("tool_choice", "required"),
        ("functions", [{"name": "f"}]),
    ],
)
async def test_what_a_fixed_text_cannot_honour_is_refused(kind: str, param: str, value: Any) -> None:
    with pytest.raises(Unsupported) as refusal:
        await say(kind, **{param: value})
    assert refusal.value.param == param

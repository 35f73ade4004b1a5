"""What is taken out for good."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.core.errors import EgressDenied
from gateway.core.types import Assessment, Finding, Place
from gateway.transform import Strip

pytestmark = pytest.mark.anyio

KEY = "ghp_FBNOfQ5xj7t2ydf0K5uY8iH1wOLaQan8ePsq"


async def test_a_key_is_gone_from_the_whole_history_and_never_comes_back(tools: Any, scanner: Any) -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": json.dumps({"token": KEY})}}
    messages = [
        {"role": "user", "content": f"push with {KEY}"},
        {"role": "assistant", "content": f"I used {KEY}.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": f"remote: https://x:{KEY}@git.example.org/a.git"},
        {"role": "user", "content": "Now write the changelog"},
    ]
    done = await tools.apply(Strip(scanner), scanner, tools.request(messages))
    assert KEY not in json.dumps(done.request.body)
    told = done.request.body["messages"]
    assert told[1]["content"] == "push with [REMOVED_SECRET_1]"
    assert json.loads(told[2]["tool_calls"][0]["function"]["arguments"]) == {"token": "[REMOVED_SECRET_1]"}
    answer = "Pushed with [REMOVED_SECRET_1]"
    assert tools.text(await tools.through(done.restore, tools.says(answer, [3]))) == answer
    assert done.restore.unrestored == 0
    assert (await scanner.scan(done.request.body)).findings == ()


async def test_marks_are_the_same_in_every_conversation(tools: Any, scanner: Any) -> None:
    one = await tools.apply(Strip(scanner), scanner, tools.request(f"a {KEY}"))
    two = await tools.apply(Strip(scanner), scanner, tools.request(f"b {KEY}", conversation="c"))
    assert one.request.body["messages"][0] == two.request.body["messages"][0]


async def test_what_the_user_wrote_like_a_mark_stays_as_it_is(tools: Any, scanner: Any) -> None:
    done = await tools.apply(Strip(scanner), scanner, tools.request(f"[REMOVED_SECRET_7] and {KEY}"))
    assert done.request.body["messages"][1]["content"] == "[REMOVED_SECRET_7] and [REMOVED_SECRET_1]"


async def test_a_value_that_cannot_be_taken_out_keeps_the_request_at_home(tools: Any, scanner: Any) -> None:
    found = Finding("x", "iban", "financial", 1.0, Place("$.messages[3].content", 0, 4))
    with pytest.raises(EgressDenied):
        await Strip(scanner).apply(tools.request("hello"), Assessment((found,)), {})


async def test_a_short_password_is_gone_where_nothing_gives_it_away(tools: Any) -> None:
    messages = [{"role": "user", "content": "pw Kx9!z"}, {"role": "assistant", "content": "(Kx9!z) it is"}]
    found = Finding("words", "password", "secret", 0.9, Place("$.messages[0].content", 3, 8))
    done = await Strip(tools.detector({})).apply(tools.request(messages), Assessment((found,)), {})
    assert "Kx9!z" not in json.dumps(done.request.body)


async def test_a_password_that_is_a_short_word_does_not_take_the_word_out_of_the_text(tools: Any) -> None:
    messages = [{"role": "user", "content": "pw test"}, {"role": "assistant", "content": "a test of it"}]
    found = Finding("words", "password", "secret", 0.9, Place("$.messages[0].content", 3, 7))
    done = await Strip(tools.detector({})).apply(tools.request(messages), Assessment((found,)), {})
    assert [each["content"] for each in done.request.body["messages"][1:]] == ["pw [REMOVED_SECRET_1]", "a test of it"]

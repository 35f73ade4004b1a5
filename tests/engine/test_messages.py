"""Messages as a small model's template can take them."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.core.errors import BadRequest, UnsupportedContent
from gateway.engine.messages import SYSTEM_PROMPT, folded, plain_messages

SYSTEM = {"role": "system", "content": SYSTEM_PROMPT}
USER = {"role": "user", "content": "hi"}
CALL = {"id": "1", "type": "function", "function": {"name": "f", "arguments": {}}}


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        pytest.param([USER], [SYSTEM, USER], id="ours where the client sends no system message"),
        pytest.param(
            [{"role": "developer", "content": "be brief"}, USER],
            [{"role": "system", "content": "be brief"}, USER],
            id="developer is system",
        ),
        pytest.param(
            [{"role": "system", "content": "a"}, USER, {"role": "system", "content": "b"}],
            [{"role": "system", "content": "a\n\nb"}, USER],
            id="one system message, first",
        ),
        pytest.param([{"role": "system", "content": ""}, USER], [SYSTEM, USER], id="an empty one is none"),
        pytest.param(
            [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
            [SYSTEM, {"role": "user", "content": "ab"}],
            id="parts are joined",
        ),
        pytest.param(
            [
                USER,
                {
                    "role": "assistant",
                    "reasoning_content": "hmm",
                    "content": [
                        {"type": "thinking", "thinking": "hmm", "signature": "Eq"},
                        {"type": "redacted_thinking", "data": "Em"},
                        {"type": "text", "text": "a"},
                    ],
                },
                USER,
            ],
            [SYSTEM, USER, {"role": "assistant", "content": "a"}, USER],
            id="another model's thinking is left aside",
        ),
        pytest.param(
            [
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}],
                },
                {"role": "tool", "tool_call_id": "1", "content": "7"},
            ],
            [
                SYSTEM,
                {"role": "assistant", "content": "", "tool_calls": [CALL]},
                {"role": "tool", "content": "7", "tool_call_id": "1", "name": "f"},
            ],
            id="calls and results stay what they are",
        ),
        pytest.param(
            [
                {"role": "assistant", "content": "hm", "function_call": {"name": "f", "arguments": '{"a": [1]}'}},
                {"role": "function", "name": "f", "content": "7"},
            ],
            [
                SYSTEM,
                {
                    "role": "assistant",
                    "content": "hm",
                    "tool_calls": [
                        {
                            "id": "call_messages[0]",
                            "type": "function",
                            "function": {"name": "f", "arguments": {"a": [1]}},
                        }
                    ],
                },
                {"role": "tool", "content": "7", "tool_call_id": "call_messages[0]", "name": "f"},
            ],
            id="calls of old clients",
        ),
        pytest.param(
            [{"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]}],
            [SYSTEM, {"role": "assistant", "content": "no"}],
            id="refusal",
        ),
    ],
)
def test_messages_become_plain(given: list[Any], plain: list[Any]) -> None:
    assert plain_messages(given) == plain


@pytest.mark.parametrize(
    ("said", "read"),
    [
        pytest.param('{"a": 1}', {"a": 1}, id="an object"),
        pytest.param("", {}, id="nothing"),
        pytest.param(None, {}, id="null"),
        pytest.param('{"a": ', {"input": '{"a": '}, id="cut short"),
        pytest.param("[1]", {"input": "[1]"}, id="a list"),
        pytest.param("[" * 100_000, {"input": "[" * 100_000}, id="depth"),
        pytest.param('{"a":' * 200 + "1" + "}" * 200, None, id="objects in objects"),
        pytest.param('{"a": "\\ud800"}', None, id="half a character"),
        pytest.param(f'{{"a": {"9" * 400}}}', None, id="a number that is none here"),
        pytest.param('{"a": NaN}', None, id="no number"),
        pytest.param({"a": 1}, {"a": 1}, id="an object instead of a text"),
    ],
)
def test_arguments_are_read_into_an_object(said: Any, read: Any) -> None:
    call = {"id": "1", "function": {"name": "f", "arguments": said}}
    plain = plain_messages([{"role": "assistant", "tool_calls": [call]}])
    assert plain[1]["tool_calls"][0]["function"]["arguments"] == (read if read is not None else {"input": said})
    assert orjson.dumps(plain)


def test_the_text_of_a_custom_tools_call_is_shown() -> None:
    call = {"id": "1", "type": "custom", "custom": {"name": "f", "input": "x = 1"}}
    plain = plain_messages([{"role": "assistant", "tool_calls": [call]}])
    assert plain[1]["tool_calls"][0]["function"] == {"name": "f", "arguments": {"input": "x = 1"}}


def test_an_empty_system_prompt_in_the_settings_adds_none() -> None:
    assert plain_messages([USER], "") == [USER]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        pytest.param([], BadRequest, id="nothing"),
        pytest.param([{"role": "wizard", "content": "x"}], BadRequest, id="role"),
        pytest.param([{"role": "user", "content": 7}], BadRequest, id="number"),
        pytest.param([{"role": "assistant", "tool_calls": {}, "content": 7}], BadRequest, id="content beside calls"),
        pytest.param([{"role": "assistant", "tool_calls": "f()"}], BadRequest, id="calls as a text"),
        pytest.param([{"role": "assistant", "tool_calls": ["f()"]}], BadRequest, id="a call as a text"),
        pytest.param([{"role": "assistant", "tool_calls": [{"function": {}}]}], BadRequest, id="a call of nothing"),
        pytest.param([{"role": "user", "content": [{"type": "image_url"}]}], UnsupportedContent, id="image"),
        pytest.param([{"role": "user", "content": [{"type": "text", "text": 7}]}], UnsupportedContent, id="text part"),
    ],
)
def test_what_cannot_be_read_is_refused(given: list[Any], error: type[Exception]) -> None:
    with pytest.raises(error) as refused:
        plain_messages(given)
    assert refused.value.param == "messages"  # type: ignore[attr-defined]


def test_folding_gives_turns_without_a_system_role() -> None:
    plain = [SYSTEM, USER, USER, {"role": "assistant", "content": "yes"}]
    assert folded(plain) == [
        {"role": "user", "content": f"{SYSTEM_PROMPT}\n\nhi\n\nhi"},
        {"role": "assistant", "content": "yes"},
    ]

"""Messages as a small model's template can take them."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.core.errors import BadRequest, UnsupportedContent
from gateway.engine.messages import SYSTEM_PROMPT, folded, plain_messages

SYSTEM = {"role": "system", "content": SYSTEM_PROMPT}
USER = {"role": "user", "content": "hi"}


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
                {
                    "role": "assistant",
                    "content": None,
                    "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": "{}"}}],
                },
                {"role": "tool", "tool_call_id": "1", "content": "7"},
            ],
            [
                SYSTEM,
                {"role": "assistant", "content": "Tool call: f({})"},
                {"role": "user", "content": "Result of the tool call:\n7"},
            ],
            id="tool calls of another model in words",
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


def test_an_empty_system_prompt_in_the_settings_adds_none() -> None:
    assert plain_messages([USER], "") == [USER]


@pytest.mark.parametrize(
    ("given", "error"),
    [
        pytest.param([], BadRequest, id="nothing"),
        pytest.param([{"role": "wizard", "content": "x"}], BadRequest, id="role"),
        pytest.param([{"role": "user", "content": 7}], BadRequest, id="number"),
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

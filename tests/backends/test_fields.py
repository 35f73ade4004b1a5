"""The allow-list (promise P8): every field is sent, named as dropped, or refused by name; none vanishes."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from openai.types.chat import completion_create_params

from gateway.backends.fields import OWN, SENT, limit, sendable
from gateway.core.errors import Unsupported

SAMPLES: dict[str, Any] = {
    "messages": [{"role": "user", "content": "hi"}],
    "tools": [{"type": "function", "function": {"name": "f", "parameters": {}}}],
    "tool_choice": "auto",
    "response_format": {"type": "json_object"},
    "modalities": ["text"],
    "stop": ["x"],
    "metadata": {"a": "b"},
}
REFUSED = {"functions": [{"name": "f"}], "function_call": "auto"}
OPENAI = sorted(get_type_hints(completion_create_params.CompletionCreateParamsBase))


def body(**more: Any) -> dict[str, Any]:
    return {"model": "m", "messages": [{"role": "user", "content": "hi"}], **more}


def test_every_field_of_openai_is_sent_or_named() -> None:
    assert len(OPENAI) > 30
    full = {name: SAMPLES.get(name, 1) for name in OPENAI if name not in REFUSED}
    payload, dropped = sendable(full)
    for name in full:
        assert (name in payload) + (name in dropped) + (name in OWN - {"store"}) == 1, name
    assert set(payload) == SENT
    assert {"user", "metadata", "store", "safety_identifier", "prompt_cache_key", "web_search_options"} <= set(dropped)


@pytest.mark.parametrize("name", REFUSED)
def test_a_field_whose_loss_would_change_the_answer_is_refused(name: str) -> None:
    with pytest.raises(Unsupported) as refusal:
        sendable(body(**{name: REFUSED[name]}))
    assert refusal.value.param == name


def test_fields_that_no_one_knows_stay_and_are_named() -> None:
    payload, dropped = sendable(body(top_k=5, chat_template_kwargs={"x": 1}, seed=3))
    assert set(payload) == {"messages", "seed"}
    assert dropped == ("chat_template_kwargs", "top_k")


def test_the_operator_may_let_a_field_out() -> None:
    payload, dropped = sendable(body(top_k=5), frozenset({"top_k"}))
    assert payload["top_k"] == 5
    assert dropped == ()


def test_a_null_is_no_field() -> None:
    payload, dropped = sendable(body(user=None, temperature=None, tools=None, stop=None))
    assert set(payload) == {"messages"}
    assert dropped == ()


def test_a_name_that_is_no_plain_word_is_not_repeated() -> None:
    _, dropped = sendable(body(**{"IBAN DE89 3704": 1, "x\r\nset-cookie": 2, "é": 3}))
    assert dropped == ("?",)


def test_nested_fields_are_named_with_their_place() -> None:
    message = {
        "role": "user",
        "id": "m1",
        "content": [
            {"type": "text", "text": "look", "cache_control": {"type": "ephemeral"}},
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low", "alt": "x"}},
        ],
    }
    tool = {"type": "function", "function": {"name": "f", "x-note": "n"}, "id": 1}
    payload, dropped = sendable(
        body(messages=[message], tools=[tool, {"type": "web_search", "web_search": {}}], audio={"voice": "v"})
    )
    assert payload["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "look"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA==", "detail": "low"}},
            ],
        }
    ]
    assert payload["tools"] == [{"type": "function", "function": {"name": "f"}}]
    assert dropped == (
        "audio",
        "messages[].content[].cache_control",
        "messages[].content[].image_url.alt",
        "messages[].id",
        "tools[].function.x-note",
        "tools[].id",
        "tools[].web_search",
    )


def test_a_whole_conversation_with_tools_goes_out_as_it_came() -> None:
    messages = [
        {"role": "developer", "content": "be brief", "name": "dev"},
        {"role": "user", "content": "time?"},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}],
        },
        {"role": "tool", "tool_call_id": "c1", "content": "12:00"},
        {"role": "assistant", "content": "Noon.", "refusal": "no"},
    ]
    choice = {"type": "function", "function": {"name": "now"}}
    tools = [{"type": "function", "function": {"name": "now", "description": "d", "parameters": {"type": "object"}}}]
    payload, dropped = sendable(body(messages=messages, tools=tools, tool_choice=choice, parallel_tool_calls=False))
    assert payload["messages"] == messages
    assert (payload["tools"], payload["tool_choice"], payload["parallel_tool_calls"]) == (tools, choice, False)
    assert dropped == ()


def test_another_models_thinking_stays() -> None:
    said = {"role": "assistant", "content": "a", "reasoning_content": "hmm", "audio": {"id": "x"}}
    payload, dropped = sendable(body(messages=[said]))
    assert payload["messages"] == [{"role": "assistant", "content": "a"}]
    assert dropped == ("messages[].audio", "messages[].reasoning_content")


SIGNED = {"type": "thinking", "thinking": "hmm", "signature": "EqQBCgIYAhIkMGY2"}
SEALED = {"type": "redacted_thinking", "data": "EmwKAhgBEgy3va3pzix"}
TEXT = {"type": "text", "text": "Noon."}
CALL = {"id": "c1", "type": "function", "function": {"name": "now", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("said", "want", "names"),
    [
        (
            {"role": "assistant", "content": [SIGNED, TEXT]},
            [{"role": "assistant", "content": [TEXT]}],
            ("messages[].content[].thinking",),
        ),
        (
            {"role": "assistant", "content": [SEALED, SIGNED], "tool_calls": [CALL]},
            [{"role": "assistant", "content": None, "tool_calls": [CALL]}],
            ("messages[].content[].redacted_thinking", "messages[].content[].thinking"),
        ),
        ({"role": "assistant", "content": [SEALED]}, [], ("messages[].content[].redacted_thinking",)),
        (
            {"role": "assistant", "content": "Noon.", "thinking_blocks": [SIGNED], "encrypted_content": "gAAAA"},
            [{"role": "assistant", "content": "Noon."}],
            ("messages[].encrypted_content", "messages[].thinking_blocks"),
        ),
        (
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [CALL | {"extra_content": {"google": {"thought_signature": "AbC="}}}],
            },
            [{"role": "assistant", "content": None, "tool_calls": [CALL]}],
            ("messages[].tool_calls[].extra_content",),
        ),
    ],
    ids=["signed", "beside a call", "nothing else", "fields", "signed call"],
)
def test_signed_and_sealed_thinking_is_dropped_and_named(
    said: dict[str, Any], want: list[Any], names: tuple[str, ...]
) -> None:
    asked = {"role": "user", "content": "time?"}
    payload, dropped = sendable(body(messages=[asked, said, asked]))
    assert payload["messages"] == [asked, *want, asked]
    assert dropped == names


def test_a_history_of_thinking_alone_is_refused() -> None:
    with pytest.raises(Unsupported):
        sendable(body(messages=[{"role": "assistant", "content": [SIGNED]}]))


def test_hosted_tools_alone_leave_no_trace_of_tools() -> None:
    payload, dropped = sendable(body(tools=[{"type": "file_search"}], tool_choice="auto", parallel_tool_calls=True))
    assert set(payload) == {"messages"}
    assert dropped == ("tools[].file_search",)


IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
REFUSALS = {
    "an image by address": (
        {"messages": [{"role": "user", "content": [IMAGE]}]},
        "messages[0].content[0].image_url.url",
    ),
    "a file by id": (
        {"messages": [{"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}]},
        "messages[0].content[0].file",
    ),
    "an unknown part": ({"messages": [{"role": "user", "content": [{"type": "video"}]}]}, "messages[0].content[0]"),
    "a part that is no object": ({"messages": [{"role": "user", "content": ["hi"]}]}, "messages[0].content[0]"),
    "a text part without text": (
        {"messages": [{"role": "user", "content": [{"type": "text"}]}]},
        "messages[0].content[0].text",
    ),
    "an unknown role": ({"messages": [{"role": "function", "content": "x"}]}, "messages[0].role"),
    "a message that is no object": ({"messages": ["hi"]}, "messages[0]"),
    "calls that are no list": (
        {"messages": [{"role": "assistant", "tool_calls": {"a": 1}}]},
        "messages[0].tool_calls",
    ),
    "a call of another type": (
        {"messages": [{"role": "assistant", "tool_calls": [{"type": ["x"]}]}]},
        "messages[0].tool_calls[0].type",
    ),
    "audio answers": ({"modalities": ["text", "audio"]}, "modalities"),
    "a hosted tool demanded": ({"tools": [{"type": "web_search"}], "tool_choice": "required"}, "tool_choice"),
    "a hosted tool named": (
        {
            "tools": [{"type": "function", "function": {"name": "f"}}],
            "tool_choice": {"type": "web_search"},
        },
        "tool_choice",
    ),
    "an unknown answer format": ({"response_format": {"type": "grammar"}}, "response_format"),
    "tools that are no list": ({"tools": "all"}, "tools"),
}


@pytest.mark.parametrize(("more", "param"), REFUSALS.values(), ids=REFUSALS.keys())
def test_what_can_neither_go_nor_stay_is_refused_by_its_path(more: dict[str, Any], param: str) -> None:
    with pytest.raises(Unsupported) as refusal:
        sendable(body(**more))
    assert refusal.value.param == param


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@example({"modalities": True}, {})
@given(st.dictionaries(st.sampled_from(OPENAI) | st.text(max_size=8), JSON, max_size=6), JSON)
def test_whatever_comes_only_listed_fields_leave(fields: dict[str, Any], message: Any) -> None:
    try:
        payload, _ = sendable({**fields, "messages": [message, {"role": "user", "content": "hi"}]})
    except Unsupported:
        return
    assert set(payload) <= SENT


def test_the_clients_own_object_is_left_alone() -> None:
    original = body(user="u", tools=[{"type": "function", "function": {"name": "f", "x": 1}}])
    copy = {**original, "tools": [{"type": "function", "function": {"name": "f", "x": 1}}]}
    payload, _ = sendable(original)
    payload["messages"][0]["role"] = "system"
    assert original == {**copy, "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize(
    ("given_", "sent"),
    [
        ({"max_tokens": 5}, 5),
        ({"max_completion_tokens": 6}, 6),
        ({"max_tokens": 5, "max_completion_tokens": 6}, 6),
        ({}, None),
    ],
)
@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_the_limit_goes_out_under_the_servers_own_name(given_: dict[str, int], sent: int | None, name: str) -> None:
    payload = dict(given_)
    limit(payload, name)
    assert payload == ({} if sent is None else {name: sent})

"""What a request needs, read off its shape."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.core.types import Needs
from gateway.score.needs import RECENT, needs_of, tokens_of

HELLO: dict[str, Any] = {"messages": [{"role": "user", "content": "Hello"}]}
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def part(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": [fields]}]}


@pytest.mark.parametrize(
    ("body", "want"),
    [
        (HELLO, set()),
        (part(type="image_url", image_url={"url": "https://example.com/a.png"}), {"image"}),
        (part(type="input_audio", input_audio={"data": "AAAA", "format": "wav"}), {"audio"}),
        ({**HELLO, "modalities": ["text", "audio"]}, {"audio"}),
        (part(type="file", file={"file_id": "f"}), {"file"}),
        ({**HELLO, "tools": [TOOL]}, {"tools"}),
        ({**HELLO, "tools": [TOOL], "tool_choice": "none"}, set()),
        ({**HELLO, "tools": []}, set()),
        ({**HELLO, "functions": [TOOL["function"]]}, {"tools"}),
        ({**HELLO, "functions": [TOOL["function"]], "function_call": "none"}, set()),
        ({"messages": [*HELLO["messages"], {"role": "tool", "content": "3", "tool_call_id": "c"}]}, {"tools"}),
        (
            {"messages": [*HELLO["messages"], {"role": "assistant", "tool_calls": [{"id": "c"}]}]},
            {"tools"},
        ),
        ({**HELLO, "response_format": {"type": "json_object"}}, {"schema"}),
        ({**HELLO, "response_format": {"type": "json_schema", "json_schema": {}}}, {"schema"}),
        ({**HELLO, "response_format": {"type": "text"}}, set()),
        ({**HELLO, "logprobs": True}, {"logprobs"}),
        ({**HELLO, "logprobs": False}, set()),
    ],
)
def test_needs_are_facts_of_the_shape(body: dict[str, Any], want: set[str]) -> None:
    needs, _ = needs_of(body)
    names = ("image", "audio", "file", "tools", "schema", "logprobs")
    assert {name for name in names if getattr(needs, name)} == want


@pytest.mark.parametrize(
    ("limits", "more"),
    [({}, 0), ({"max_tokens": 100}, 100), ({"max_completion_tokens": 70, "max_tokens": 100}, 70),
     ({"max_tokens": 9, "n": 4}, 9), ({"max_tokens": -5}, 0), ({"max_tokens": "many"}, 0), ({"max_tokens": True}, 0)],
)  # fmt: skip
def test_context_is_prompt_and_answer(limits: dict[str, Any], more: int) -> None:
    needs, tokens = needs_of({**HELLO, **limits})
    assert needs.context == tokens + more


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("The quick brown fox jumps over the lazy dog. " * 10, 85, 140),
        ("请解释量子计算的基本原理。" * 10, 100, 260),
        ("Объясните основные принципы вычислений. " * 10, 100, 260),
        ("", 0, 0),
    ],
    ids=["english", "chinese", "russian", "nothing"],
)
def test_tokens_are_estimated_per_script(text: str, low: int, high: int) -> None:
    assert low <= tokens_of(text) <= high


def test_tools_and_pictures_count_and_data_urls_do_not() -> None:
    _, plain = needs_of(HELLO)
    _, tooled = needs_of({**HELLO, "tools": [TOOL]})
    _, small = needs_of(part(type="image_url", image_url={"url": "data:image/png;base64," + "A" * 100}))
    _, large = needs_of(part(type="image_url", image_url={"url": "data:image/png;base64," + "A" * 100_000}))
    assert plain < tooled
    assert small == large > 500


def test_another_models_thinking_does_not_count() -> None:
    answer = {"role": "assistant", "content": [{"type": "text", "text": "Hi"}]}
    thought = {"type": "thinking", "thinking": "so " * 9_000, "signature": "E" * 900}
    thinking = {"role": "assistant", "content": [thought, *answer["content"]], "reasoning_content": "so " * 9_000}
    assert needs_of({"messages": [thinking]}) == needs_of({"messages": [answer]})


def test_a_nest_deeper_than_the_stack_is_counted() -> None:
    nest: Any = "x"
    for _ in range(20_000):
        nest = [nest]
    assert needs_of({"messages": [{"role": "user", "content": nest}]})[1] > 0


@given(st.text(max_size=500), st.text(max_size=500))
@settings(max_examples=100)
def test_more_text_never_needs_fewer_tokens_by_more_than_the_sampling_error(one: str, other: str) -> None:
    assert tokens_of(one + other) >= 0.5 * max(tokens_of(one), tokens_of(other))


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
def test_no_wish_for_an_answer_is_larger_than_a_record_can_hold(name: str) -> None:
    needs, _ = needs_of({**HELLO, name: 2**64 - 1})
    assert 500_000_000 < needs.context < 2**53


def test_malformed_bodies_need_nothing() -> None:
    for body in (
        {},
        {"messages": None},
        {"messages": [None, 3, "x"]},
        {"messages": [{"content": [None, {"type": 3}]}]},
    ):
        assert needs_of(body)[0] == Needs(context=needs_of(body)[0].context)


SAID = (
    "Tell me more about the second point, please.",
    "Perché la città è così vuota oggi?",
    "Расскажи мне ещё.",
    "for (i = 0;)",
)


@pytest.mark.parametrize("plain", [True, False], ids=["strings", "parts"])
def test_what_a_long_conversation_began_with_is_estimated_in_one_go_and_hardly_otherwise(plain: bool) -> None:
    texts = [f"{number}: {SAID[number % len(SAID)]}" for number in range(5 * RECENT)]
    messages = [{"role": "user", "content": text if plain else [{"type": "text", "text": text}]} for text in texts]
    one_by_one = sum(needs_of({"messages": messages[at : at + RECENT]})[1] for at in range(0, len(messages), RECENT))
    assert needs_of({"messages": messages})[1] == pytest.approx(one_by_one, rel=0.15)


@pytest.mark.parametrize(
    ("early", "want"),
    [
        ({"role": "assistant", "tool_calls": [{"id": "c"}]}, "tools"),
        ({"role": "tool", "content": "3"}, "tools"),
        (
            {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}]},
            "image",
        ),
        ({"role": "user", "content": [{"type": "file", "file": {"file_id": "f"}}]}, "file"),
    ],
)
def test_a_need_counts_however_long_ago_it_arose(early: dict[str, Any], want: str) -> None:
    assert getattr(needs_of({"messages": [early, *HELLO["messages"] * 3 * RECENT]})[0], want)


@pytest.mark.parametrize(
    "odd", [None, 5, "x", {}, {"role": "user"}, {"role": "user", "content": [3, {"type": "text"}]}]
)
def test_whatever_else_a_conversation_began_with_is_passed_over(odd: Any) -> None:
    hello = HELLO["messages"] * 2 * RECENT
    assert needs_of({"messages": [odd, *hello]})[1] == pytest.approx(needs_of({"messages": hello})[1], abs=20)

"""Answers survive being bytes, piece by piece."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.cache.codec import decode, encode
from gateway.core.types import Chunk, Usage

text = st.text(max_size=12)
tool_call = st.fixed_dictionaries(
    {"index": st.integers(0, 3), "function": st.fixed_dictionaries({"arguments": text}, optional={"name": text})},
    optional={"id": text, "type": st.just("function")},
)
deltas = st.fixed_dictionaries(
    {},
    optional={
        "content": st.none() | text,
        "refusal": text,
        "reasoning_content": text,
        "tool_calls": st.lists(tool_call, min_size=1, max_size=2),
    },
)
logprobs = st.fixed_dictionaries(
    {"content": st.lists(st.fixed_dictionaries({"token": text, "logprob": st.floats(-20, 0)}), max_size=2)}
)
usages = st.builds(
    Usage,
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.none()
    | st.just({"completion_tokens_details": {"reasoning_tokens": 3}})
    | st.just({"prompt_tokens_details": {"cached_tokens": 5}, "context": {"shifted": True, "dropped": 37}}),
)
chunks = st.builds(
    Chunk,
    st.integers(0, 3),
    deltas,
    st.none() | st.sampled_from(["stop", "length", "tool_calls", "content_filter"]),
    st.none() | logprobs,
    st.none() | usages,
    st.sampled_from([None, "model-a", "model-b"]),
    st.none() | st.just(((-0.25, 0.5, 1.5),)),
)


@given(st.lists(chunks, max_size=12))
def test_what_is_decoded_is_what_was_encoded_but_for_confidence(answer: list[Chunk]) -> None:
    decoded = decode(encode(answer))
    assert list(decoded) == [chunk._replace(confidence=None) for chunk in answer]
    assert all(chunk.usage is None or isinstance(chunk.usage, Usage) for chunk in decoded)


def test_a_long_streamed_answer_costs_little_more_than_its_text_and_keeps_its_pieces() -> None:
    answer = [Chunk(0, {"content": f"w{number:03d} "}, model="m") for number in range(128)]
    answer += [Chunk(0, {}, "stop", model="m"), Chunk(usage=Usage(20, 128), model="m")]
    data = encode(answer)
    assert len(data) < 128 * (5 + 3) + 80
    assert list(decode(data)) == answer


def test_confidence_makes_no_stored_answer_longer() -> None:
    plain = [Chunk(0, {"content": "Hi "}), Chunk(0, {"content": "you"}, "stop")]
    assert encode([chunk._replace(confidence=((-0.25, 0.5, 1.5),)) for chunk in plain]) == encode(plain)


def test_replays_share_nothing_that_one_of_them_could_change() -> None:
    data = encode([Chunk(0, {"content": "a"})])
    first, second = decode(data)[0], decode(data)[0]
    assert first.delta is not second.delta


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not json: planted",
        b"{}",
        b"[]",
        b"[1]",
        b"null",
        orjson.dumps([2, None, "another format"]),
        orjson.dumps([1, None, 7]),
        orjson.dumps([1, None, [0, {}, None, None, None, None, "seventh"]]),
        orjson.dumps([1, None, [0, {}, None, None, 5]]),
    ],
    ids=repr,
)
def test_anything_else_is_refused_without_a_word_of_it(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"^not an answer in format 1$") as caught:
        decode(data)
    assert caught.value.__cause__ is None


def test_values_that_json_cannot_hold_are_refused() -> None:
    answer: list[Any] = [Chunk(0, {"content": {1, 2}})]
    with pytest.raises(TypeError):
        encode(answer)

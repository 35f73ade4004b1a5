"""Chunks to events, and chunks to a whole body: the two edges say the same."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.api.collect import Collector
from gateway.api.sse import StreamWriter
from gateway.core.types import Chunk, Pieces, Usage
from tests.api.streams import data_of

CALL = {"index": 0, "id": "call_a", "type": "function", "function": {"name": "weather", "arguments": ""}}
MORE = {"index": 0, "function": {"arguments": "{}"}}


def streamed(*batches: Pieces, include_usage: bool = False) -> list[Any]:
    writer = StreamWriter(id="chatcmpl-1", created=5, model="m", choices=3, include_usage=include_usage)
    raw = b"".join(writer.write(batch) for batch in batches) + writer.end()
    *events, done = data_of(raw)
    assert done == b"[DONE]"
    return [json.loads(event) for event in events]


def collected(*batches: Pieces) -> dict[str, Any]:
    collector = Collector(choices=3)
    for batch in batches:
        collector.add(batch)
    return collector.body(id="chatcmpl-1", created=5, model="m")


def test_an_event_is_written_byte_for_byte_like_this() -> None:
    writer = StreamWriter(id="chatcmpl-1", created=5, model="m", choices=3, include_usage=False)
    head = b'data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":5,"model":"m","choices":['
    role = b'{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n'
    text = b'{"index":0,"delta":{"content":"Hi"},"logprobs":null,"finish_reason":null}]}\n\n'
    assert writer.write([Chunk(0, {"content": "Hi"})]) == head + role + head + text


@pytest.mark.parametrize(
    "text", ['a"b', "line\nbreak", "\u2028 \r\n\r\n data: x", "日本🙂", "\x00", "]}\n\ndata: [DONE]"]
)
def test_no_text_can_break_out_of_its_event(text: str) -> None:
    events = streamed([Chunk(0, {"content": text})], [Chunk(0, {}, "stop")])
    assert events[1]["choices"][0]["delta"] == {"content": text}
    assert len(events) == 3


def test_a_piece_without_anything_writes_nothing() -> None:
    writer = StreamWriter(id="1", created=5, model="m", choices=3, include_usage=False)
    writer.write([Chunk(0, {"content": "Hi"})])
    assert writer.write([Chunk(0, {})]) == b""
    assert writer.write([]) == b""
    assert writer.write([Chunk(usage=Usage(1, 1))]) == b""


def test_a_choice_that_appears_late_is_opened_after_those_before_it() -> None:
    events = streamed([Chunk(2, {"content": "c"})], [Chunk(2, {}, "stop"), Chunk(0, {"content": "a"}, "length")])
    order = [event["choices"][0]["index"] for event in events]
    assert order[:3] == [0, 1, 2]
    finishes = {
        choice["index"]: choice["finish_reason"]
        for event in events
        for choice in event["choices"]
        if choice["finish_reason"]
    }
    assert finishes == {0: "length", 1: "stop", 2: "stop"}


def test_a_second_finish_is_not_told() -> None:
    events = streamed([Chunk(0, {"content": "a"}, "stop")], [Chunk(0, {}, "length")])
    assert [event["choices"][0]["finish_reason"] for event in events] == [None, "stop"]


def test_usage_that_never_came_is_told_as_zero_where_it_was_asked_for() -> None:
    assert streamed([Chunk(0, {}, "stop")], include_usage=True)[-1]["usage"]["total_tokens"] == 0
    assert collected([Chunk(0, {}, "stop")])["usage"]["total_tokens"] == 0


def test_details_never_replace_the_counts() -> None:
    usage = Usage(1, 2, {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": 1}})
    told = {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "prompt_tokens_details": {"cached_tokens": 1},
    }
    assert collected([Chunk(usage=usage)])["usage"] == told
    assert streamed([Chunk(usage=usage)], include_usage=True)[-1]["usage"] == told


# note → chunks → the message and the finish that a whole answer shows
BODIES: dict[str, tuple[Pieces, dict[str, Any], str]] = {
    "text": ([Chunk(0, {"content": "Hel"}), Chunk(0, {"content": "lo"}, "stop")], {"content": "Hello"}, "stop"),
    "nothing": ([Chunk(0, {}, "stop")], {"content": ""}, "stop"),
    "refusal": ([Chunk(0, {"refusal": "No"}), Chunk(0, {"refusal": "."}, "stop")], {"refusal": "No."}, "stop"),
    "reasoning": (
        [Chunk(0, {"reasoning_content": "Six"}), Chunk(0, {"content": "42"}, "stop")],
        {"content": "42", "reasoning_content": "Six"},
        "stop",
    ),
    "tool call": (
        [Chunk(0, {"tool_calls": [CALL]}), Chunk(0, {"tool_calls": [MORE]}, "tool_calls")],
        {
            "tool_calls": [
                {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": "{}"}},
            ]
        },
        "tool_calls",
    ),
    "custom tool call": (
        [
            Chunk(
                0, {"tool_calls": [{"index": 0, "id": "c", "type": "custom", "custom": {"name": "sh", "input": "l"}}]}
            ),
            Chunk(0, {"tool_calls": [{"index": 0, "custom": {"input": "s"}}]}, "tool_calls"),
        ],
        {"tool_calls": [{"id": "c", "type": "custom", "custom": {"name": "sh", "input": "ls"}}]},
        "tool_calls",
    ),
    "annotations": (
        [Chunk(0, {"annotations": [1]}), Chunk(0, {"content": "x", "annotations": [2]}, "stop")],
        {"content": "x", "annotations": [1, 2]},
        "stop",
    ),
    "content filter": (
        [Chunk(0, {"content": "a"}), Chunk(0, {}, "content_filter")],
        {"content": "a"},
        "content_filter",
    ),
}


@pytest.mark.parametrize("case", BODIES)
def test_chunks_add_up(case: str) -> None:
    chunks, message, finish = BODIES[case]
    [choice] = collected(chunks)["choices"]
    assert choice["message"] == {"role": "assistant", "content": None, "refusal": None} | message
    assert choice["finish_reason"] == finish
    assert choice["logprobs"] is None


def test_logprobs_add_up() -> None:
    tokens = [{"token": word, "logprob": -0.1, "bytes": None, "top_logprobs": []} for word in ("a", "b")]
    pieces = [Chunk(0, {"content": token["token"]}, None, {"content": [token], "refusal": None}) for token in tokens]
    [choice] = collected(pieces, [Chunk(0, {}, "stop")])["choices"]
    assert choice["logprobs"] == {"content": tokens, "refusal": None}
    told = [event["choices"][0]["logprobs"] for event in streamed(pieces, [Chunk(0, {}, "stop")])]
    assert told == [None, *({"content": [token], "refusal": None} for token in tokens), None]

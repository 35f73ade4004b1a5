"""What every stream promises, whatever shape the upstream's answer had: each invariant over each kind of answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import pytest

from tests.api.streams import chunks_of, deltas_of, streamed, text_of
from tests.support.capture import Answer, CaptureServer, completion, event, events, sse, usage_of, words
from tests.support.serving import Serving

CALL = {"id": "call_a", "type": "function", "function": {"name": "weather", "arguments": ""}}
CHOICES_TOGETHER = [{"index": n, "delta": {"content": f"w{n}"}, "finish_reason": "stop"} for n in (1, 0)]
SOURCES: dict[str, Answer] = {
    "a usual stream": events(*words("Hel", "lo", ".")),
    "one byte at a time": events(*words("Hé", "ł🙂"), cut_every=1),
    "all in one write": events(*words("Hel", "lo"), cut_every=100_000),
    "carriage returns": Answer(
        tuple(sse(*words("Hel", "lo"), newline=b"\r\n")), headers={"content-type": "text/event-stream"}
    ),
    "a whole body instead of a stream": completion("Hello"),
    "no usage": events(*words("Hello", usage=None)),
    "usage in every chunk": events(*(each | {"usage": usage_of(7, 2)} for each in words("Hel", "lo", usage=None))),
    "the finish told twice": events(*words("Hello", usage=None), event({}, finish="stop")),
    "the finish in the last text": events(event({"role": "assistant", "content": "Hello"}, finish="stop")),
    "a finish that clients do not know": events(*words("Hello", finish="eos_token")),
    "no finish before [DONE]": events(event({"content": "Hello"})),
    "a role in every chunk": events(
        event({"role": "assistant", "content": "Hel"}), event({"role": "assistant"}, finish="stop")
    ),
    "choices in one chunk, the second first": events(event({}, choices=CHOICES_TOGETHER)),
    "choices null in the last chunk": events(
        event({"content": "Hi"}, finish="stop"), event({}, choices=None, usage=usage_of(1, 1))
    ),
    "another id on every chunk": events(
        *(each | {"id": f"c{n}", "created": n} for n, each in enumerate(words("Hel", "lo")))
    ),
    "a tool call": events(
        event({"role": "assistant", "content": None, "tool_calls": [{"index": 0, **CALL}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": '{"city":'}}]}),
        event({"tool_calls": [{"index": 0, "function": {"arguments": '"Lyon"}'}}]}),
        event({}, finish="tool_calls"),
    ),
    "pings and event names between": Answer(
        (b": ping\n\nevent: message\nid: 1\nretry: 5\n", *sse(*words("Hello"))),
        headers={"content-type": "text/event-stream"},
    ),
}
Chunks = list[dict[str, Any]]


def same_id_created_model_and_object_on_every_chunk(chunks: Chunks) -> None:
    heads = {(chunk["id"], chunk["created"], chunk["model"], chunk["object"]) for chunk in chunks}
    assert len(heads) == 1
    [(number, created, model, kind)] = heads
    assert number.startswith("chatcmpl-")
    assert type(created) is int
    assert (model, kind) == ("large", "chat.completion.chunk")


def role_in_the_first_delta_of_a_choice_and_nowhere_else(chunks: Chunks) -> None:
    for index in indices(chunks):
        first, *later = deltas_of(chunks, index)
        assert first == {"role": "assistant", "content": ""}
        assert all("role" not in delta for delta in later)


def finish_reason_null_until_the_last_chunk_of_a_choice(chunks: Chunks) -> None:
    for index in indices(chunks):
        told = [choice["finish_reason"] for choice in choices(chunks) if choice["index"] == index]
        assert told[:-1] == [None] * (len(told) - 1)
        assert told[-1] in {"stop", "length", "tool_calls", "content_filter"}


def choices_appear_in_order(chunks: Chunks) -> None:
    assert indices(chunks) == list(range(len(indices(chunks))))


def logprobs_key_on_every_choice(chunks: Chunks) -> None:
    assert all("logprobs" in choice for choice in choices(chunks))


def choices_never_null_and_never_missing(chunks: Chunks) -> None:
    assert all(isinstance(chunk["choices"], list) for chunk in chunks)


def a_tool_call_opens_with_id_type_and_name_and_goes_on_with_index_and_arguments(chunks: Chunks) -> None:
    seen = set()
    for call in (call for delta in deltas_of(chunks) for call in delta.get("tool_calls", ())):
        if call["index"] in seen:
            assert call.keys() == {"index", "function"}
            assert call["function"].keys() == {"arguments"}
        else:
            assert call.keys() == {"index", "id", "type", "function"}
            assert call["function"]["name"]
            assert isinstance(call["function"]["arguments"], str)
        seen.add(call["index"])


INVARIANTS: tuple[Callable[[Chunks], None], ...] = (
    same_id_created_model_and_object_on_every_chunk,
    role_in_the_first_delta_of_a_choice_and_nowhere_else,
    finish_reason_null_until_the_last_chunk_of_a_choice,
    choices_appear_in_order,
    logprobs_key_on_every_choice,
    choices_never_null_and_never_missing,
    a_tool_call_opens_with_id_type_and_name_and_goes_on_with_index_and_arguments,
)


def choices(chunks: Chunks) -> list[dict[str, Any]]:
    return [choice for chunk in chunks for choice in chunk["choices"]]


def indices(chunks: Chunks) -> list[int]:
    """In order of appearance, which is how clients count them."""
    return list(dict.fromkeys(choice["index"] for choice in choices(chunks)))


@pytest.fixture(scope="module", params=SOURCES)
def source(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def both(source: str, gateway: Serving, shared_upstream: CaptureServer) -> tuple[Chunks, Chunks]:
    """The stream without usage, and with it."""
    shared_upstream.always(SOURCES[source])
    plain = chunks_of(streamed(gateway, n=2))
    return plain, chunks_of(streamed(gateway, n=2, stream_options={"include_usage": True}))


@pytest.mark.parametrize("invariant", INVARIANTS, ids=lambda check: check.__name__)
def test_every_stream_keeps(both: tuple[Chunks, Chunks], invariant: Callable[[Chunks], None]) -> None:
    plain, with_usage = both
    invariant(plain)
    invariant(with_usage[:-1])


def test_usage_is_nowhere_unless_asked_for(both: tuple[Chunks, Chunks]) -> None:
    assert all("usage" not in chunk and chunk["choices"] for chunk in both[0])


def test_usage_when_asked_for_is_null_until_a_last_chunk_without_choices(both: tuple[Chunks, Chunks]) -> None:
    *before, last = both[1]
    assert all(chunk["usage"] is None for chunk in before)
    assert last["choices"] == []
    usage = last["usage"]
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"] > 0


@pytest.fixture
def plain(gateway: Serving, upstream: CaptureServer) -> httpx.Response:
    upstream.always(SOURCES["one byte at a time"])
    return streamed(gateway)


def test_a_stream_is_utf8_server_sent_events_that_no_proxy_holds_back(plain: httpx.Response) -> None:
    assert plain.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert plain.headers["cache-control"] == "no-cache"
    assert plain.headers["x-accel-buffering"] == "no"
    assert text_of(chunks_of(plain)) == "Héł🙂"


def test_a_stream_is_never_compressed(gateway: Serving, upstream: CaptureServer) -> None:
    answer = streamed(gateway, headers={"accept-encoding": "gzip, br, zstd"})
    assert "content-encoding" not in answer.headers
    assert text_of(chunks_of(answer)) == "Hello."


def test_a_stream_has_its_request_id(plain: httpx.Response) -> None:
    assert plain.headers["x-request-id"].startswith("req_")


def test_an_upstream_that_answers_fewer_choices_than_asked_leaves_none_unfinished(
    gateway: Serving, upstream: CaptureServer
) -> None:
    chunks = chunks_of(streamed(gateway, n=3))
    assert indices(chunks) == [0]
    finish_reason_null_until_the_last_chunk_of_a_choice(chunks)


def test_the_local_answer_keeps_the_same_promises(gateway: Serving) -> None:
    chunks = chunks_of(streamed(gateway, model="local", n=2, stream_options={"include_usage": True}))
    for index in range(2):
        role, *_ = deltas_of(chunks, index)
        assert role["role"] == "assistant"
        assert text_of(chunks, index).startswith("[canned]")
    choices_appear_in_order(chunks)
    finish_reason_null_until_the_last_chunk_of_a_choice(chunks[:-1])
    assert chunks[-1]["usage"]["total_tokens"] > 0


ENDINGS: Mapping[str, Answer] = {
    "an error object": events(*words("Hel")[:2], {"error": {"message": "prose"}}, done=False).but(gap_s=0.05),
    "cut off": events(*words("Hel")[:2], done=False).but(end="cut"),
    "ended without a finish": events(*words("Hel")[:2], done=False),
    "not JSON": events(*words("Hel")[:2], b"{", done=False).but(gap_s=0.05),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_stream_that_fails_ends_with_one_error_event_and_no_farewell(
    gateway: Serving, upstream: CaptureServer, ending: str
) -> None:
    upstream.always(ENDINGS[ending])
    answer = streamed(gateway)
    assert answer.status_code == 200
    *chunks, last = [
        json.loads(each) for each in answer.text.replace("data: ", "").split("\n\n") if each.startswith("{")
    ]
    assert b"[DONE]" not in answer.content
    assert text_of(chunks) == "Hel"
    assert all(choice["finish_reason"] is None for choice in choices(chunks))
    assert last.keys() == {"error"}
    assert last["error"].keys() == {"message", "type", "param", "code"}
    assert last["error"]["code"] == "upstream_broke"
    assert "prose" not in answer.text

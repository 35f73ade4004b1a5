"""What is true of every answer, however the network cuts it, whichever way it was asked for, fresh or cached."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.api.collect import Collector
from gateway.api.sse import StreamWriter
from gateway.backends.reader import Reader
from gateway.core.types import Chunk, Usage
from tests.api.conftest import settings as gateway_settings
from tests.api.streams import chunks_of, data_of
from tests.support.capture import Answer, CaptureServer, event, events, sse, usage_of
from tests.support.serving import Serving, serving

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
FINISH = st.sampled_from(["stop", "length", "content_filter"])


# ── Upstreams ───────────────────────────────────────────────────────────────────────────────────────────────────────


@st.composite
def upstream_events(draw: st.DrawFn) -> list[dict[str, Any]]:
    """A sound stream of one to three choices whose events come in any order that keeps each choice's own."""
    queues: list[list[dict[str, Any]]] = []
    for index in range(draw(st.integers(1, 3))):
        deltas: list[dict[str, Any]] = [{"content": text} for text in draw(st.lists(TEXT, max_size=4))]
        if draw(st.booleans()):
            deltas.append({"reasoning_content": draw(TEXT)})
        if draw(st.booleans()):
            deltas += _call(draw, 0)
            deltas += _call(draw, 1)
        told = [event(delta, index=index) for delta in deltas]
        queues.append([event({"role": "assistant", "content": ""}, index=index), *told])
        queues[-1].append(event({}, index=index, finish=draw(FINISH)))
    order = draw(st.permutations([number for number, queue in enumerate(queues) for _ in queue]))
    mixed = [queues[number].pop(0) for number in order]
    if draw(st.booleans()):
        mixed.append(event({}, choices=[], usage=usage_of(draw(st.integers(0, 99)), draw(st.integers(0, 99)))))
    return mixed


def _call(draw: st.DrawFn, number: int) -> list[dict[str, Any]]:
    first = {"index": number, "id": f"call_{number}", "type": "function", "function": {"name": "f", "arguments": ""}}
    fragments = [{"index": number, "function": {"arguments": text}} for text in draw(st.lists(TEXT, max_size=3))]
    return [{"tool_calls": [call]} for call in (first, *fragments)]


@st.composite
def cut(draw: st.DrawFn, whole: bytes) -> list[bytes]:
    places = sorted(draw(st.sets(st.integers(1, max(1, len(whole) - 1)), max_size=20)))
    return [whole[start:end] for start, end in zip([0, *places], [*places, len(whole)], strict=True)]


def client_stream(pieces: list[bytes]) -> bytes:
    """What a client gets when the upstream's bytes arrive so."""
    reader = Reader("large", "text/event-stream", 1_000_000)
    writer = StreamWriter(id="chatcmpl-1", created=5, model="m", choices=3, include_usage=True)
    out = b"".join(writer.write(reader.feed(piece)) for piece in pieces if not reader.done)
    return out + writer.write(reader.end()) + writer.end()


@given(st.data(), upstream_events(), st.sampled_from([b"\n", b"\r\n", b"\r"]))
def test_any_chunking_of_the_upstreams_bytes_gives_the_same_client_stream(
    data: st.DataObject, told: list[dict[str, Any]], newline: bytes
) -> None:
    pieces = [json.dumps(each, ensure_ascii=False).encode() for each in told]
    whole = b"".join(sse(*pieces, newline=newline))
    assert client_stream(data.draw(cut(whole))) == client_stream([whole])


# ── Both kinds of answer ────────────────────────────────────────────────────────────────────────────────────────────


def accumulated(chunks: list[dict[str, Any]]) -> dict[int, dict[str, Any]]:
    """What a client that reads the stream ends up with, choice by choice; written as clients write it."""
    choices: dict[int, dict[str, Any]] = {}
    for choice in (choice for chunk in chunks for choice in chunk["choices"]):
        into = choices.setdefault(
            choice["index"], {"content": "", "reasoning_content": "", "calls": {}, "finish_reason": None, "tokens": []}
        )
        delta = choice["delta"]
        for name in ("content", "reasoning_content"):
            into[name] += delta.get(name) or ""
        for call in delta.get("tool_calls", ()):
            held = into["calls"].setdefault(call["index"], {"arguments": ""})
            held.update({name: call[name] for name in ("id", "type") if name in call})
            held["arguments"] += call["function"].get("arguments", "")
            held.setdefault("name", call["function"].get("name"))
        into["tokens"] += [token["token"] for token in (choice["logprobs"] or {}).get("content") or ()]
        assert not (into["finish_reason"] and choice["finish_reason"])
        into["finish_reason"] = into["finish_reason"] or choice["finish_reason"]
    return choices


def whole(body: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The same view of an answer that came at once."""
    return {
        choice["index"]: {
            "content": choice["message"]["content"] or "",
            "reasoning_content": choice["message"].get("reasoning_content", ""),
            "calls": {
                number: {"id": call["id"], "type": call["type"], **call["function"]}
                for number, call in enumerate(choice["message"].get("tool_calls", ()))
            },
            "finish_reason": choice["finish_reason"],
            "tokens": [token["token"] for token in (choice["logprobs"] or {}).get("content") or ()],
        }
        for choice in body["choices"]
    }


@st.composite
def chunk_batches(draw: st.DrawFn) -> list[list[Chunk]]:
    """Chunks with the promises that backends make, in batches of any size."""
    told = draw(upstream_events())
    reader = Reader("large", "text/event-stream", 1_000_000)
    chunks = [chunk for piece in sse(*told) for chunk in (reader.feed(piece) if not reader.done else ())]
    chunks += reader.end()
    if draw(st.booleans()):
        entry = {"token": "t", "logprob": -1.0, "bytes": None, "top_logprobs": []}
        chunks.insert(0, Chunk(0, {"content": "t"}, None, {"content": [entry], "refusal": None}))
    size = draw(st.integers(1, 5))
    return [chunks[start : start + size] for start in range(0, len(chunks), size)]


@given(chunk_batches())
def test_a_stream_adds_up_to_the_answer_that_comes_at_once(batches: list[list[Chunk]]) -> None:
    writer, collector = StreamWriter(id="1", created=5, model="m", choices=3, include_usage=True), Collector(choices=3)
    raw = b""
    for batch in batches:
        raw += writer.write(batch)
        collector.add(batch)
    raw += writer.end()
    *events_, done = data_of(raw)
    assert done == b"[DONE]"
    told = [json.loads(each) for each in events_]
    body = collector.body(id="1", created=5, model="m")
    assert accumulated(told) == whole(json.loads(json.dumps(body)))
    assert told[-1]["usage"] == body["usage"]


# ── Through a real gateway ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def outside() -> Iterator[CaptureServer]:
    with CaptureServer() as server:
        yield server


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory, outside: CaptureServer) -> Iterator[Serving]:
    config = gateway_settings(outside, cache={"url": "memory://"})
    with serving(tmp_path_factory.mktemp("gateway"), config, env={"GATEWAY_LOCAL": "canned"}) as it:
        yield it


def ask(gateway: Serving, question: str, *, stream: bool, **more: Any) -> tuple[str, dict[int, dict[str, Any]], Any]:
    """(hit or miss, the answer by choice, usage)."""
    options = {"stream": True, "stream_options": {"include_usage": True}} if stream else {}
    answer = gateway.ask(question, model="large", n=2, **options, **more)
    assert answer.status_code == 200, answer.text
    if stream:
        chunks = chunks_of(answer)
        return answer.headers["x-gateway-cache"], accumulated(chunks), chunks[-1]["usage"]
    body = answer.json()
    return answer.headers["x-gateway-cache"], whole(body), body["usage"]


@settings(max_examples=15)
@given(st.data(), upstream_events())
def test_a_real_gateway_gives_the_same_stream_however_the_bytes_arrive(
    gateway: Serving, outside: CaptureServer, data: st.DataObject, told: list[dict[str, Any]]
) -> None:
    bytes_ = b"".join(sse(*told))
    streams = []
    for pieces in ([bytes_], data.draw(cut(bytes_))):
        outside.always(Answer(tuple(pieces), headers={"content-type": "text/event-stream"}))
        answer = gateway.ask("Why?", model="large", stream=True, n=3, headers={"cache-control": "no-store"})
        streams.append([{**chunk, "id": 0, "created": 0} for chunk in chunks_of(answer)])
    assert streams[0] == streams[1]


ANSWERS: dict[str, Answer] = {
    "text": events(event({"content": "Hel"}), event({"content": "lo"}), event({}, finish="stop")),
    "text and usage": events(event({"content": "é🙂"}, finish="length"), event({}, choices=[], usage=usage_of(3, 4))),
    "two choices": events(
        event({"content": "b"}, index=1),
        event({"content": "a"}),
        event({}, index=1, finish="stop"),
        event({}, finish="stop"),
    ),
    "tool calls": events(
        event(
            {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}]}
        ),
        event({"tool_calls": [{"index": 0, "function": {"arguments": '{"a":1}'}}]}),
        event({}, finish="tool_calls"),
    ),
    "reasoning": events(event({"reasoning_content": "Six"}), event({"content": "42"}), event({}, finish="stop")),
    "logprobs": events(
        event(
            {},
            choices=[
                {
                    "index": 0,
                    "delta": {"content": "Hi"},
                    "logprobs": {"content": [{"token": "Hi", "logprob": -0.1, "bytes": None, "top_logprobs": []}]},
                    "finish_reason": "stop",
                }
            ],
        )
    ),
}


@pytest.mark.parametrize("again", [False, True], ids=["then whole", "then streamed"])
@pytest.mark.parametrize("first", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", ANSWERS)
def test_an_answer_from_the_cache_equals_the_fresh_one(
    gateway: Serving, outside: CaptureServer, case: str, first: bool, again: bool
) -> None:
    outside.always(ANSWERS[case])
    question = f"Tell me about {case}, {first} and {again}."
    state, fresh, usage = ask(gateway, question, stream=first)
    assert state == "miss"
    before = len(outside.requests)
    state, cached, cached_usage = ask(gateway, question, stream=again)
    assert state == "hit"
    assert len(outside.requests) == before
    assert (cached, cached_usage) == (fresh, usage)


def test_a_local_answer_from_the_cache_equals_the_fresh_one(gateway: Serving) -> None:
    answers = [gateway.ask("Hello there.", model="local", n=2) for _ in range(2)]
    assert [answer.headers["x-gateway-cache"] for answer in answers] == ["miss", "hit"]
    bodies = [answer.json() for answer in answers]
    assert bodies[0]["choices"] == bodies[1]["choices"]
    assert bodies[0]["usage"] == bodies[1]["usage"]
    assert bodies[0]["id"] != bodies[1]["id"]


def test_an_answer_that_broke_off_is_not_remembered(gateway: Serving, outside: CaptureServer) -> None:
    outside.answer(events(event({"content": "Hel"}), done=False).but(end="cut"))
    outside.always(ANSWERS["text"])
    broken = gateway.ask("Tell me a story.", model="large", stream=True)
    assert b"upstream_broke" in broken.content
    assert ask(gateway, "Tell me a story.", stream=True)[0] == "miss"


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_total_tokens_is_always_the_sum(prompt: int, completion: int) -> None:
    collector = Collector(choices=3)
    collector.add([Chunk(usage=Usage(prompt, completion))])
    assert collector.body(id="1", created=1, model="m")["usage"]["total_tokens"] == prompt + completion

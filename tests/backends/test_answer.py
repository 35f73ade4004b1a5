"""Upstreams' habits, one row each, and the chunks that strict clients get instead."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.backends.answer import FINISH
from gateway.backends.reader import Reader
from gateway.core.errors import BackendBroke, BackendError, BackendRejected, ContextTooLong, GatewayError
from gateway.core.types import Chunk, Usage
from tests.support.capture import completion, event, sse, usage_of, words
from tests.support.remote import finishes, text_of, usage_told

SSE = "text/event-stream; charset=utf-8"
LIMIT = 1 << 20


def read(*events: dict[str, Any] | bytes, done: bool = True, kind: str = SSE) -> list[Chunk]:
    return read_raw(b"".join(sse(*events, done=done)), kind=kind)


def read_raw(*pieces: bytes, kind: str = SSE) -> list[Chunk]:
    reader = Reader("large", kind, LIMIT)
    chunks: list[Chunk] = []
    for piece in pieces:
        chunks += reader.feed(piece)
        if reader.done:
            break
    return chunks + reader.end()


def calls_of(chunks: list[Chunk], choice: int = 0) -> list[dict[str, Any]]:
    return [call for chunk in chunks if chunk.choice == choice for call in chunk.delta.get("tool_calls", [])]


def assembled(chunks: list[Chunk]) -> list[tuple[str, str]]:
    """(name, arguments) of each call, put together as the openai client does: by index, strings appended."""
    made: dict[int, list[str]] = {}
    for call in calls_of(chunks):
        inner = call["function"]
        whole = made.setdefault(call["index"], ["", ""])
        whole[0] += inner.get("name", "")
        whole[1] += inner.get("arguments", "")
    assert list(made) == list(range(len(made)))
    return [(name, arguments) for name, arguments in made.values()]


def test_a_usual_stream() -> None:
    chunks = read(*words("Hel", "lo"))
    assert text_of(chunks) == "Hello"
    assert finishes(chunks) == {0: ["stop"]}
    assert usage_told(chunks) == Usage(7, 2)
    assert all("role" not in chunk.delta for chunk in chunks)
    assert {chunk.model for chunk in chunks} == {"capture-1"}


def test_all_events_of_one_read_come_together() -> None:
    reader = Reader("large", SSE, LIMIT)
    raw = b"".join(sse(*words("a", "b", "c")))
    assert [chunk.delta for chunk in reader.feed(raw)] == [{"content": "a"}, {"content": "b"}, {"content": "c"}, {}]


ODD = {
    "usage in an early chunk": [event({"content": "x"}, usage=usage_of(3, 1)), event({}, finish="stop")],
    "usage on every chunk": [
        event({"content": "x"}, usage=usage_of(3, 0)),
        event({}, finish="stop", usage=usage_of(3, 1)),
    ],
    "usage null": [event({"content": "x"}, usage=None), event({}, finish="stop", usage=usage_of(3, 1))],
    "choices null": [
        event({}, choices=None),
        event({"content": "x"}),
        event({}, finish="stop"),
        event({}, choices=None, usage=usage_of(3, 1)),
    ],
    "finish with the last text": [event({"content": "x"}, finish="stop", usage=usage_of(3, 1))],
    "finish twice": [event({"content": "x"}), event({}, finish="stop"), event({}, finish="stop", usage=usage_of(3, 1))],
    "text after the finish": [event({"content": "x"}, finish="stop"), event({"content": "y"}, usage=usage_of(3, 1))],
    "finish as an empty string": [event({"content": "x"}, finish=""), event({}, finish="stop", usage=usage_of(3, 1))],
    "no finish before [DONE]": [event({"content": "x"}, usage=usage_of(3, 1))],
    "the role on each chunk": [
        event({"role": "assistant", "content": "x"}),
        event({"role": "assistant"}, finish="stop", usage=usage_of(3, 1)),
    ],
    "fields nobody knows": [event({"content": "x", "vendor": 1}, finish="stop", usage=usage_of(3, 1), extra=2)],
    "delta null": [
        event({"content": "x"}),
        {**event({}, usage=usage_of(3, 1)), "choices": [{"index": 0, "delta": None, "finish_reason": "stop"}]},
    ],
    "no index": [
        {
            "model": "capture-1",
            "choices": [{"delta": {"content": "x"}, "finish_reason": "stop"}],
            "usage": usage_of(3, 1),
        }
    ],
    "content in parts": [event({"content": [{"type": "text", "text": "x"}]}, finish="stop", usage=usage_of(3, 1))],
    "an event without data in it": [b"", event({"content": "x"}, finish="stop", usage=usage_of(3, 1))],
}


@pytest.mark.parametrize("events", ODD.values(), ids=ODD.keys())
def test_an_odd_stream_reads_like_a_usual_one(events: list[Any]) -> None:
    chunks = read(*events)
    assert [chunk.delta for chunk in chunks if chunk.delta] == [{"content": "x"}]
    assert finishes(chunks) == {0: ["stop"]}
    assert usage_told(chunks) == Usage(3, 1)


@pytest.mark.parametrize("counts", [(-5, 2), (5, -2), (2**63, 1), (3, 10**10), (True, 1), (3.0, 1.0), ("3", "1")])
def test_a_usage_that_cannot_be_is_none(counts: tuple[Any, Any]) -> None:
    chunks = read(event({"content": "x"}), event({}, finish="stop", usage=usage_of(*counts)))
    assert usage_told(chunks) is None


@pytest.mark.parametrize(
    ("word", "finish"),
    [(w, f) for w, f in FINISH.items() if f and f != "tool_calls"]
    + [("whatever", "stop"), ("STOP", "stop"), ("MAX_TOKENS", "length")],
)
def test_a_finish_is_one_of_four_words(word: str, finish: str) -> None:
    assert finishes(read(event({"content": "x"}), event({}, finish=word))) == {0: [finish]}


@pytest.mark.parametrize("word", ["error", "abort"])
def test_an_upstream_that_gives_up_did_not_stop(word: str) -> None:
    with pytest.raises(BackendBroke):
        read(event({"content": "x"}), event({}, finish=word))


def test_several_choices_each_get_one_finish() -> None:
    mixed = [event({"content": c}, index=i) for c, i in [("a", 0), ("b", 1), ("a", 0), ("b", 1)]]
    chunks = read(*mixed, event({}, index=1, finish="length"), event({}, index=0, finish="stop"))
    assert (text_of(chunks, 0), text_of(chunks, 1)) == ("aa", "bb")
    assert finishes(chunks) == {0: ["stop"], 1: ["length"]}


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content"])
def test_thinking_has_one_name(field: str) -> None:
    chunks = read(event({field: "hm"}), event({"content": "x"}, finish="stop"))
    assert chunks[0].delta == {"reasoning_content": "hm"}


def test_refusals_and_logprobs_pass() -> None:
    logprobs = {"content": [{"token": "x", "logprob": -0.1, "bytes": None, "top_logprobs": []}]}
    first = event({"content": "x"})
    first["choices"][0]["logprobs"] = logprobs
    chunks = read(first, event({"refusal": "no"}, finish="stop"))
    assert chunks[0].logprobs == logprobs
    assert chunks[1].delta == {"refusal": "no"}


def test_usage_details_pass_and_other_counts_do_not() -> None:
    usage = {**usage_of(5, 6), "prompt_tokens_details": {"cached_tokens": 4}, "cost": 0.1}
    told = usage_told(read(event({"content": "x"}, finish="stop", usage=usage)))
    assert told == Usage(5, 6, {"prompt_tokens_details": {"cached_tokens": 4}})


# ── Tool calls ──────────────────────────────────────────────────────────────────────────────────────────────────────


def fragment(index: int | None = 0, id_: str | None = None, name: str | None = None, text: Any = "") -> dict[str, Any]:
    inner = {key: value for key, value in (("name", name), ("arguments", text)) if value is not None}
    outer = {"index": index, "id": id_, "type": "function", "function": inner}
    return {key: value for key, value in outer.items() if value is not None}


def tool_events(*deltas: list[dict[str, Any]], finish: str = "tool_calls") -> list[dict[str, Any]]:
    return [*(event({"tool_calls": delta}) for delta in deltas), event({}, finish=finish)]


TWO = [("f", '{"a":1}'), ("g", '{"b":2}')]
CALLS = {
    "as OpenAI does": [
        [fragment(0, "c1", "f")], [fragment(0, text='{"a"')], [fragment(0, text=":1}")],
        [fragment(1, "c2", "g")], [fragment(1, text='{"b":2}')],
    ],
    "interleaved": [
        [fragment(0, "c1", "f"), fragment(1, "c2", "g")],
        [fragment(1, text='{"b"')], [fragment(0, text='{"a"')], [fragment(1, text=":2}")], [fragment(0, text=":1}")],
    ],
    "id on each fragment": [
        [fragment(0, "c1", "f")], [fragment(0, "c1", text='{"a":1}')], [fragment(1, "c2", "g", '{"b"')],
        [fragment(1, "c2", text=":2}")],
    ],
    "id and name on each fragment": [
        [fragment(0, "c1", "f", '{"a"')], [fragment(0, "c1", "f", ":1}")], [fragment(1, "c2", "g", '{"b":2}')],
    ],
    "a new id for each fragment": [
        [fragment(0, "c1", "f", '{"a"')], [fragment(0, "c7", text=":1}")], [fragment(1, "c2", "g", '{"b"')],
        [fragment(1, "c8", text=":2}")],
    ],
    "index 0 for all, whole": [[fragment(0, "c1", "f", '{"a":1}')], [fragment(0, "c2", "g", '{"b":2}')]],
    "index 0 for all, in one event": [[fragment(0, "c1", "f", '{"a":1}'), fragment(0, "c2", "g", '{"b":2}')]],
    "index 0 for all, in fragments": [
        [fragment(0, "c1", "f")], [fragment(0, text='{"a":1}')], [fragment(0, "c2", "g")],
        [fragment(0, text='{"b":2}')],
    ],
    "index 0 for all, no ids": [[fragment(0, None, "f", '{"a":1}')], [fragment(0, None, "g", '{"b":2}')]],
    "no index": [[fragment(None, "c1", "f", '{"a":1}'), fragment(None, "c2", "g", '{"b":2}')]],
    "no index, in fragments": [
        [fragment(None, "c1", "f")], [fragment(None, None, text='{"a":1}')], [fragment(None, "c2", "g")],
        [fragment(None, "c2", text='{"b":2}')],
    ],
    "no index and no id": [[fragment(None, None, "f", '{"a":1}'), fragment(None, None, "g", '{"b":2}')]],
    "no ids": [[fragment(0, None, "f", '{"a":1}')], [fragment(1, None, "g", '{"b":2}')]],
    "the same id twice": [[fragment(0, "c1", "f", '{"a":1}')], [fragment(1, "c1", "g", '{"b":2}')]],
    "indexes from 1": [[fragment(1, "c1", "f", '{"a":1}')], [fragment(2, "c2", "g", '{"b":2}')]],
    "arguments as objects": [[fragment(0, "c1", "f", {"a": 1})], [fragment(1, "c2", "g", {"b": 2})]],
    "the name after the arguments began": [
        [fragment(0, "c1", None, '{"a"')], [fragment(0, None, "f", ":1}")], [fragment(1, "c2", "g", '{"b":2}')],
    ],
}  # fmt: skip


@pytest.mark.parametrize("deltas", CALLS.values(), ids=CALLS.keys())
def test_two_calls_stay_two_calls(deltas: list[list[dict[str, Any]]]) -> None:
    chunks = read(*tool_events(*deltas))
    assert assembled(chunks) == TWO
    assert finishes(chunks) == {0: ["tool_calls"]}
    ids = [call["id"] for call in calls_of(chunks) if "id" in call]
    assert len(set(ids)) == len(ids) == 2
    seen: set[int] = set()
    for call in calls_of(chunks):
        opening = call["index"] not in seen
        seen.add(call["index"])
        assert ("id" in call, "type" in call, "name" in call["function"]) == (opening,) * 3
        assert isinstance(call["function"]["arguments"], str)


def test_ids_of_the_upstream_are_kept() -> None:
    chunks = read(*tool_events(*CALLS["as OpenAI does"]))
    assert [call["id"] for call in calls_of(chunks) if "id" in call] == ["c1", "c2"]


def test_a_call_without_arguments_gets_the_empty_object() -> None:
    assert assembled(read(*tool_events([fragment(0, "c1", "now", None)]))) == [("now", "{}")]


def test_a_call_that_never_says_its_name_is_a_failure() -> None:
    with pytest.raises(BackendBroke):
        read(*tool_events([fragment(0, "c1", None, "{}")]))


@pytest.mark.parametrize("finish", ["stop", "tool_call", "function_call", "tool_use", "tool_calls"])
def test_calls_end_with_tool_calls(finish: str) -> None:
    assert finishes(read(*tool_events([fragment(0, "c", "f", "{}")], finish=finish))) == {0: ["tool_calls"]}


def test_a_cut_call_is_not_reported_as_complete() -> None:
    assert finishes(read(*tool_events([fragment(0, "c", "f", '{"a')], finish="length"))) == {0: ["length"]}


def test_no_calls_no_tool_calls_finish() -> None:
    assert finishes(read(event({"content": "x"}), event({}, finish="tool_calls"))) == {0: ["stop"]}


def test_the_old_function_call_becomes_a_tool_call() -> None:
    deltas = [{"function_call": {"name": "f", "arguments": ""}}, {"function_call": {"arguments": "{}"}}]
    chunks = read(*(event(delta) for delta in deltas), event({}, finish="function_call"))
    assert assembled(chunks) == [("f", "{}")]
    assert finishes(chunks) == {0: ["tool_calls"]}


def test_custom_tools_pass() -> None:
    call = {"index": 0, "id": "c", "type": "custom", "custom": {"name": "sh", "input": "ls"}}
    chunks = read(*tool_events([call], [{"index": 0, "custom": {"input": " -l"}}]))
    assert calls_of(chunks) == [call, {"index": 0, "custom": {"input": " -l"}}]


# ── Whole answers ───────────────────────────────────────────────────────────────────────────────────────────────────


def whole(**more: Any) -> bytes:
    return completion(**more).pieces[0]


@pytest.mark.parametrize("kind", ["application/json", SSE.replace("event-stream", "plain"), ""])
def test_a_whole_answer_is_read_whatever_it_calls_itself(kind: str) -> None:
    raw = b"\xef\xbb\xbf \n"[: 5 if "json" not in kind else 0] + whole(n=2)
    chunks = read_raw(*(raw[i : i + 7] for i in range(0, len(raw), 7)), kind=kind)
    assert (text_of(chunks, 0), text_of(chunks, 1)) == ("Hello.", "Hello.")
    assert finishes(chunks) == {0: ["stop"], 1: ["stop"]}
    assert usage_told(chunks) == Usage(7, 2)


def test_a_stream_that_calls_itself_nothing_is_read_too() -> None:
    assert text_of(read(*words("a", "b"), kind="")) == "ab"


def test_whole_tool_calls_get_their_index() -> None:
    calls = [fragment(None, "c1", "f", '{"a":1}'), fragment(None, "c2", "g", '{"b":2}')]
    chunks = read_raw(whole(text=None, message={"tool_calls": calls}, finish="stop"), kind="application/json")
    assert assembled(chunks) == TWO
    assert finishes(chunks) == {0: ["tool_calls"]}


# ── What is broken ──────────────────────────────────────────────────────────────────────────────────────────────────

SECRET = "the prompt said DE89 3704"
BROKEN: dict[str, tuple[list[Any], bool, type[GatewayError]]] = {
    "broken off": ([event({"content": "x"})], False, BackendBroke),
    "one of two choices broken off": (
        [event({"content": "x"}, finish="stop"), event({"content": "y"}, index=1)],
        False,
        BackendBroke,
    ),
    "nothing at all": ([], False, BackendBroke),
    "[DONE] and nothing else": ([], True, BackendBroke),
    "usage and nothing else": ([event({}, choices=[], usage=usage_of(1, 1))], True, BackendBroke),
    "not JSON": ([b'{"a": ' + SECRET.encode()], True, BackendBroke),
    "a cut event": ([b'{"choices": [{"index": 0, "del'], False, BackendBroke),
    "not an object": ([b"[1]"], True, BackendBroke),
    "an error": ([event({"content": "x"}), {"error": {"message": SECRET, "type": "server_error"}}], True, BackendBroke),
    "an error as text": ([{"error": SECRET}], True, BackendBroke),
    "an error with a status": ([{"error": {"message": SECRET, "code": 429}}], True, BackendError),
    "an error with a status as text": ([{"error": {"message": SECRET, "code": "400"}}], True, BackendRejected),
    "an error object": ([{"object": "error", "message": SECRET, "code": 400}], True, BackendRejected),
    "too many tokens": ([{"error": {"message": SECRET, "code": "context_length_exceeded"}}], True, ContextTooLong),
}


@pytest.mark.parametrize(("events", "done", "kind"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_stream_raises_and_quotes_nothing(events: list[Any], done: bool, kind: type[GatewayError]) -> None:
    with pytest.raises(kind) as broken:
        read(*events, done=done)
    assert SECRET[:10] not in str(broken.value)
    assert broken.value.__cause__ is None


@pytest.mark.parametrize("raw", [b"<html>Log in</html>", b"", b'{"choices": ['], ids=["a portal", "nothing", "cut"])
@pytest.mark.parametrize("kind", ["application/json", "text/html", SSE])
def test_a_body_that_is_no_answer_raises(raw: bytes, kind: str) -> None:
    with pytest.raises(BackendBroke):
        read_raw(raw, kind=kind)


def test_an_answer_without_end_is_given_up() -> None:
    reader = Reader("large", SSE, 1000)
    assert reader.feed(b": ping\n\n" * 100) == []
    with pytest.raises(BackendBroke):
        reader.feed(b": ping\n\n" * 100)


def test_all_finishes_without_done_is_an_answer() -> None:
    assert text_of(read(*words("a"), done=False)) == "a"


OVERLOADED = {"error": {"message": "overloaded", "code": 503}}


@pytest.mark.parametrize(
    "bad", [OVERLOADED, b"{broken", {"choices": 1, "object": "error"}], ids=["error", "text", "object"]
)
@pytest.mark.parametrize("together", [True, False], ids=["in one read", "in two reads"])
def test_text_before_an_error_is_passed_on_however_the_network_cut_it(bad: Any, together: bool) -> None:
    reader = Reader("large", SSE, LIMIT)
    pieces = sse(event({"content": "Hel"}), bad, event({"content": "never"}), done=False)
    given = iter([b"".join(pieces)] if together else pieces)
    chunks = reader.feed(next(given))
    with pytest.raises(BackendBroke):
        reader.end() if reader.done else reader.feed(next(given))
    assert text_of(chunks) == "Hel"


def test_text_that_no_blank_line_follows_is_passed_on_before_the_answer_counts_as_cut() -> None:
    reader = Reader("large", SSE, LIMIT)
    raw = sse(event({"content": "Hel"}), done=False)[0]
    assert reader.feed(raw.rstrip(b"\n")) == []
    assert text_of(reader.rest()) == "Hel"
    with pytest.raises(BackendBroke):
        reader.end()


def test_what_follows_done_is_not_read() -> None:
    assert text_of(read_raw(b"".join(sse(*words("a"))) + b"data: {broken\n\n")) == "a"


LENIENT = {
    "broken UTF-8": (b'{"choices":[{"index":0,"delta":{"content":"a\xf0\x9f"},"finish_reason":"stop"}]}', "a\ufffd"),
    "half a surrogate pair": (b'{"choices":[{"index":0,"delta":{"content":"a\\ud83d"},"finish_reason":"stop"}]}', "a?"),
    "not a number": (
        b'{"choices":[{"index":0,"delta":{"content":"a"},"logprobs":{"x":NaN},"finish_reason":"stop"}]}',
        "a",
    ),
}


@pytest.mark.parametrize(("raw", "text"), LENIENT.values(), ids=LENIENT.keys())
def test_what_strict_json_forbids_and_servers_send_is_mended(raw: bytes, text: str) -> None:
    chunks = read(raw)
    assert text_of(chunks) == text
    orjson.dumps([chunk.delta for chunk in chunks])


@settings(max_examples=60)
@given(st.data())
def test_any_chunking_of_the_upstreams_bytes_gives_the_same_answer(data: st.DataObject) -> None:
    texts = data.draw(st.lists(st.text(min_size=1, max_size=6), max_size=5))
    newline = data.draw(st.sampled_from([b"\n", b"\r\n", b"\r"]))
    calls = tool_events(*CALLS["interleaved"])
    raw = b"".join(sse(*(event({"content": text}) for text in texts), *calls, newline=newline))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(raw)), max_size=12)))
    edges = [0, *cuts, len(raw)]
    pieces = [raw[start:end] for start, end in pairwise(edges)]
    chunks = read_raw(*pieces)
    assert chunks == read_raw(raw)
    assert text_of(chunks) == "".join(texts)
    assert assembled(chunks) == TWO

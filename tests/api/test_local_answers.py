"""What the local engine alone says: tool calls in step with each other, a shifted context, a deadline, a full queue."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from gateway.core.errors import DeadlineExceeded, QueueFull
from gateway.core.types import Chunk, Usage
from tests.api.streams import chunks_of, data_of
from tests.support.edge import Edge, PlayingLocal, edge
from tests.support.line import Lines, Step

pytestmark = pytest.mark.anyio

WEATHER = {
    "type": "function",
    "function": {
        "name": "weather",
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}},
            "required": ["city"],
            "additionalProperties": False,
        },
    },
}


def begins(index: int, name: str = "weather") -> dict[str, Any]:
    return {"index": index, "id": f"call_{index}", "type": "function", "function": {"name": name, "arguments": ""}}


def goes_on(index: int, arguments: str) -> dict[str, Any]:
    return {"index": index, "function": {"arguments": arguments}}


def call(index: int, city: str) -> dict[str, Any]:
    """The whole call that a client ends up with."""
    function = {"name": "weather", "arguments": f'{{"city":"{city}"}}'}
    return {"id": f"call_{index}", "type": "function", "function": function}


def calls(*deltas: dict[str, Any], choice: int = 0, **more: Any) -> Chunk:
    return Chunk(choice, {"tool_calls": [*deltas]}, model="small", **more)


def token(text: str) -> dict[str, Any]:
    entry = {"token": text, "logprob": -0.5, "bytes": list(text.encode())}
    return {**entry, "top_logprobs": [entry]}


def entries(*texts: str) -> dict[str, Any]:
    return {"content": [token(text) for text in texts], "refusal": None}


SURE = ((-0.25, 0.5, 1.5),)
CACHED = {"prompt_tokens_details": {"cached_tokens": 5}}
DROPPED = {**CACHED, "context": {"shifted": True, "dropped": 37}}
END = Chunk(usage=Usage(7, 9, CACHED), model="small")

INTERLEAVED: tuple[Step, ...] = (
    [calls(begins(0))],
    [calls(goes_on(0, '{"city"'))],
    [calls(begins(1)), calls(goes_on(1, '{"ci'))],
    [calls(goes_on(0, ':"Ly'), goes_on(1, 'ty":"Tu')), calls(begins(2))],
    [calls(goes_on(2, '{"city":"Bonn"}')), calls(goes_on(1, 'rin"}')), calls(goes_on(0, 'on"}'))],
    [Chunk(0, {}, "tool_calls", model="small"), END],
)
PARALLEL: tuple[Step, ...] = (
    [calls(begins(0)), calls(goes_on(0, '{"city"'))],
    [calls(goes_on(0, ':"Lyon"}'))],
    [calls(begins(1)), calls(goes_on(1, '{"city":"Turin"}')), calls(begins(2))],
    [calls(goes_on(2, '{"city":"Bonn"}'), finish="tool_calls"), END],
)
SCRIPTS: dict[str, Sequence[Step]] = {
    "parallel": PARALLEL,
    "interleaved": INTERLEAVED,
    "said and called": (
        [Chunk(0, {"content": "Let me "})],
        [Chunk(0, {"content": "look.", "tool_calls": [begins(0)]})],
        [calls(goes_on(0, '{"city":"Lyon"}'), finish="tool_calls"), END],
    ),
    "two": (
        [calls(begins(0), choice=1), Chunk(0, {"content": "No "})],
        [Chunk(0, {"content": "idea."}), calls(goes_on(0, '{"city":'), choice=1), calls(begins(0))],
        [calls(goes_on(0, '{"city":"Lyon"}')), calls(goes_on(0, '"Turin"}'), choice=1, finish="tool_calls")],
        [Chunk(0, {}, "tool_calls"), END],
    ),
    "logprobs": (
        [Chunk(0, {"content": "Hm."}, None, entries("H", "m", "."), confidence=SURE * 3)],
        [Chunk(0, {}, None, entries("<tool_call>"), confidence=SURE)],  # a token that shows as nothing
        [calls(begins(0), logprobs=entries("weather"), confidence=SURE)],
        [calls(goes_on(0, '{"city":"Lyon"}'), logprobs=entries('{"city"', ":", '"Lyon"}'), confidence=SURE * 3)],
        [Chunk(0, {}, "tool_calls", entries("</tool_call>"), confidence=SURE), END],
    ),
    "shifted": (
        [Chunk(0, {"content": "As I was "}, model="small")],
        [Chunk(0, {"content": "saying."}, "stop", model="small"), Chunk(usage=Usage(90, 9, DROPPED), model="small")],
    ),
    "cached": ([Chunk(0, {"content": "Hi."}, "stop")], [END]),
    "never": (DeadlineExceeded("no turn within 2 s (local.wait_s)", retry_after_s=3.2),),
    "late": ([Chunk(0, {"content": "Half an "})], DeadlineExceeded("longer than 9 s (local.answer_s)")),
    "full": (QueueFull("32 requests already wait for the local model", retry_after_s=11),),
}

THREE = [call(0, "Lyon"), call(1, "Turin"), call(2, "Bonn")]
MESSAGES: dict[str, list[dict[str, Any]]] = {
    "parallel": [{"content": None, "tool_calls": THREE}],
    "interleaved": [{"content": None, "tool_calls": THREE}],
    "said and called": [{"content": "Let me look.", "tool_calls": [call(0, "Lyon")]}],
    "two": [
        {"content": "No idea.", "tool_calls": [call(0, "Lyon")]},
        {"content": None, "tool_calls": [call(0, "Turin")]},
    ],
    "logprobs": [{"content": "Hm.", "tool_calls": [call(0, "Lyon")]}],
}
"""What clients must end up with, choice by choice, however the pieces came."""


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Edge]:
    async with edge(Lines(tmp_path)(local=PlayingLocal(SCRIPTS))) as it:
        yield it


def asking(said: str, **more: Any) -> dict[str, Any]:
    """Arguments for the real client."""
    return {"model": "local", "messages": [{"role": "user", "content": said}], **more}


# ── Tools ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("case", MESSAGES)
async def test_calls_of_the_local_model_are_whole_in_a_body(here: Edge, case: str) -> None:
    answer = (await here.ask(case, tools=[WEATHER], n=2, logprobs=True)).json()
    assert [choice["finish_reason"] for choice in answer["choices"]] == ["tool_calls"] * len(MESSAGES[case])
    told = [choice["message"] for choice in answer["choices"]]
    assert told == [{"role": "assistant", "refusal": None, **message} for message in MESSAGES[case]]


@pytest.mark.parametrize("replayed", [False, True], ids=["fresh", "replayed"])
@pytest.mark.parametrize("case", [name for name in MESSAGES if name != "interleaved"])
async def test_calls_streamed_add_up_in_the_real_client_to_the_same_message(
    here: Edge, case: str, replayed: bool
) -> None:
    more = {"tools": [WEATHER], "n": 2, "logprobs": True}
    whole = await here.client.chat.completions.create(**asking(case, **more)) if replayed else None
    async with here.client.chat.completions.stream(**asking(case, **more)) as events:
        final = await events.get_final_completion()
    told = [choice.message.model_dump(include={"content", "tool_calls"}) for choice in final.choices]
    for message in told:
        message["content"] = message["content"] or None  # empty here: the role comes with an empty text
        for each in message["tool_calls"]:
            each["function"].pop("parsed_arguments")
            each.pop("index", None)  # the client's own: where the pieces of a call belong
    assert told == MESSAGES[case]
    assert [choice.finish_reason for choice in final.choices] == ["tool_calls"] * len(told)
    if whole is not None:
        assert [c.logprobs and c.logprobs.model_dump() for c in final.choices] == [
            c.logprobs and c.logprobs.model_dump() for c in whole.choices
        ]


async def test_pieces_of_interleaved_calls_are_streamed_as_they_came(here: Edge) -> None:
    """The client's `stream()` takes a call for done when another goes on: the engine ends one before the next."""
    chunks = chunks_of(await here.ask("interleaved", tools=[WEATHER], stream=True))
    deltas = [choice["delta"] for chunk in chunks for choice in chunk["choices"]]
    pieces = [chunk.delta for step in INTERLEAVED if not isinstance(step, Exception) for chunk in step[:3]]
    assert deltas == [{"role": "assistant", "content": ""}, *(piece for piece in pieces[:-1] if piece), {}]
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks] == [None] * (len(chunks) - 1) + ["tool_calls"]


async def test_logprobs_beside_calls_lose_no_token(here: Edge) -> None:
    said = ["H", "m", ".", "<tool_call>", "weather", '{"city"', ":", '"Lyon"}', "</tool_call>"]
    whole = (await here.ask("logprobs", tools=[WEATHER], logprobs=True)).json()["choices"][0]
    assert [each["token"] for each in whole["logprobs"]["content"]] == said
    chunks = chunks_of(await here.ask("logprobs", tools=[WEATHER], logprobs=True, stream=True))
    told = [chunk["choices"][0]["logprobs"] for chunk in chunks]
    assert [each["token"] for logprobs in told if logprobs for each in logprobs["content"]] == said


# ── What the prompt cost, and what was forgotten ────────────────────────────────────────────────────────────────────


async def test_a_reused_prefix_is_told_in_openais_words(here: Edge) -> None:
    answer = await here.client.chat.completions.create(**asking("cached"))
    assert answer.usage is not None
    assert answer.usage.prompt_tokens_details is not None
    assert (answer.usage.prompt_tokens_details.cached_tokens, answer.usage.total_tokens) == (5, 16)
    *_, last = [chunk async for chunk in await here.client.chat.completions.create(
        **asking("cached", stream=True, stream_options={"include_usage": True})
    )]  # fmt: skip
    assert last.usage == answer.usage
    assert (await here.ask("cached")).headers.get("x-gateway-context") is None


SAYS = re.compile(rb"^: x-gateway-context: shifted; dropped=(\d+)$", re.MULTILINE)


def said_in(answer: httpx.Response) -> list[int]:
    """Every number that this answer gives for what was dropped, wherever it stands."""
    said = [int(number) for number in SAYS.findall(answer.content)]
    if (header := answer.headers.get("x-gateway-context")) is not None:
        assert header.startswith("shifted; dropped=")
        said.append(int(header.partition("=")[2]))
    if answer.headers["content-type"].startswith("text/event-stream"):
        events = [json.loads(data) for data in data_of(answer.content) if data != b"[DONE]"]
        said += [event["gateway"]["context"]["dropped"] for event in events if "gateway" in event]
    return said


FORMS: dict[str, dict[str, Any]] = {
    "whole": {},
    "streamed": {"stream": True},
    "streamed with usage": {"stream": True, "stream_options": {"include_usage": True}},
}


@pytest.mark.parametrize("first", FORMS)
async def test_a_shifted_context_is_told_once_in_each_form_and_by_each_replay(here: Edge, first: str) -> None:
    for form in (first, *FORMS):
        assert said_in(await here.ask("shifted", **FORMS[form])) == [37], form
    assert isinstance(here.line.local, PlayingLocal)
    assert here.line.local.calls == 1
    assert [outcome.cache for outcome in here.line.watcher.outcomes] == ["miss", "hit", "hit", "hit"]
    outcomes = [record.facts for record in here.line.audit.records if record.event == "outcome"]
    assert [facts["context_dropped"] for facts in outcomes] == [37] * 4


async def test_usage_stays_openais_beside_a_shifted_context(here: Edge) -> None:
    expected = {"prompt_tokens": 90, "completion_tokens": 9, "total_tokens": 99, **CACHED}
    assert (await here.ask("shifted")).json()["usage"] == expected
    chunks = chunks_of(await here.ask("shifted", **FORMS["streamed with usage"]))
    assert chunks[-1]["usage"] == expected
    assert chunks[-1]["gateway"] == {"context": {"shifted": True, "dropped": 37}}
    assert all("gateway" not in chunk for chunk in chunks[:-1])


async def test_the_real_client_parses_an_answer_with_a_shifted_context_as_any_other(here: Edge) -> None:
    told = await here.client.chat.completions.with_raw_response.create(**asking("shifted"))
    assert told.headers["x-gateway-context"] == "shifted; dropped=37"
    assert told.parse().choices[0].message.content == "As I was saying."
    for options in ({}, {"stream_options": {"include_usage": True}}):
        async with here.client.chat.completions.stream(**asking("shifted", **options)) as events:
            final = await events.get_final_completion()
        assert final.choices[0].message.content == "As I was saying."
        assert final.choices[0].finish_reason == "stop"
        assert (final.usage is not None) == bool(options)
    chunks = [chunk async for chunk in await here.client.chat.completions.create(
        **asking("shifted", stream=True, stream_options={"include_usage": True})
    )]  # fmt: skip
    assert chunks[-1].model_extra == {"gateway": {"context": {"shifted": True, "dropped": 37}}}


@pytest.mark.parametrize("form", FORMS)
async def test_without_headers_of_ours_nothing_of_ours_is_in_a_stream_either(tmp_path: Path, form: str) -> None:
    line = Lines(tmp_path)(local=PlayingLocal(SCRIPTS))
    async with edge(line, headers=False) as silent:
        answer = await silent.ask("shifted", **FORMS[form])
    assert said_in(answer) == []
    assert b"gateway" not in answer.content
    assert line.outcome.context_dropped == 37


async def test_a_web_page_may_read_it(here: Edge) -> None:
    answer = await here.http.get("/v1/models", headers={"origin": "http://localhost:3000"})
    assert "x-gateway-context" in answer.headers["access-control-expose-headers"]


# ── How sure it was ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("form", FORMS)
async def test_confidence_is_recorded_and_never_sent(here: Edge, form: str) -> None:
    for _ in ("fresh", "replayed"):
        answer = await here.ask("logprobs", tools=[WEATHER], logprobs=True, **FORMS[form])
        assert b"confidence" not in answer.content
        assert b"1.5" not in answer.content
    fresh, replayed = [record.facts for record in here.line.audit.records if record.event == "outcome"]
    means = {"tokens": 9, "mean_logprob": -0.25, "mean_entropy": 0.5, "mean_margin": 1.5}
    assert fresh["confidence"] == {**means, "lowest_logprob": -0.25, "early": means}
    assert replayed["confidence"] is None


# ── Too many, too long ──────────────────────────────────────────────────────────────────────────────────────────────

SAYS_NO: dict[str, tuple[int, str, str, str]] = {
    "never": (504, "deadline_exceeded", "service_unavailable_error", "4"),
    "full": (429, "queue_full", "rate_limit_error", "11"),
}


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("case", SAYS_NO)
async def test_before_the_first_piece_it_is_a_status_and_when_to_come_back(here: Edge, case: str, stream: bool) -> None:
    status, code, kind, retry_after = SAYS_NO[case]
    answer = await here.ask(case, stream=stream)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["type"]) == (status, code, kind)
    assert answer.headers["retry-after"] == retry_after
    assert "x-should-retry" not in answer.headers
    assert here.line.outcome.outcome == "error"
    assert here.line.outcome.tried == (("local", code),)
    with pytest.raises(openai.APIStatusError) as caught:
        await here.client.chat.completions.create(**asking(case))
    assert (caught.value.status_code, caught.value.code) == (status, code)


async def test_a_deadline_that_passes_in_the_middle_is_an_event_and_the_answer_is_not_kept(here: Edge) -> None:
    answer = await here.ask("late", stream=True)
    assert answer.status_code == 200
    *_, last = data_of(answer.content)
    assert json.loads(last)["error"]["code"] == "deadline_exceeded"
    assert here.line.outcome.outcome == "error"
    assert here.line.outcome.error == "DeadlineExceeded"
    assert here.line.outcome.tried == (("local", "deadline_exceeded"),)
    assert here.line.watcher.failures == [("local", "DeadlineExceeded")]
    with pytest.raises(openai.APIError):
        async for _ in await here.client.chat.completions.create(**asking("late", stream=True)):
            pass
    assert [outcome.cache for outcome in here.line.watcher.outcomes] == ["miss", "miss"]


async def test_a_deadline_that_passes_in_the_middle_of_a_body_is_a_status(here: Edge) -> None:
    answer = await here.ask("late")
    assert (answer.status_code, answer.json()["error"]["code"]) == (504, "deadline_exceeded")
    assert "Half an" not in answer.text

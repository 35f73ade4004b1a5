"""The streaming client times what a server sends, counts what it says it made, and lets no broken answer through."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from bench.streams import Answered, Ask, Plan, run, summary

pytestmark = pytest.mark.anyio

HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
GAP_S = 0.02


def event(text: str = "", finish: str | None = None, **more: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text} if text else {}, "finish_reason": finish}
    return b"data: " + json.dumps({"choices": [choice], **more}).encode() + b"\n\n"


USAGE = (
    b"data: " + json.dumps({"choices": [], "usage": {"completion_tokens": 7, "prompt_tokens": 20}}).encode() + b"\n\n"
)
DONE = b"data: [DONE]\n\n"
WHOLE = [event(), event("one"), event(" two"), event(" three"), event(finish="length"), USAGE, DONE]


@asynccontextmanager
async def serving(pieces: Sequence[bytes], head: bytes = HEAD) -> AsyncIterator[tuple[int, list[tuple[float, int]]]]:
    """Sends these pieces, a pause before each; gives the port, and for each request when it came as one of how many."""
    came: list[tuple[float, int]] = []
    answered = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal answered
        said = await reader.readuntil(b"\r\n\r\n")
        came.append((asyncio.get_running_loop().time(), len(came) + 1 - answered))
        await reader.readexactly(int(said.lower().split(b"content-length:")[1].split(b"\r\n")[0]))
        writer.write(head)
        for piece in pieces:
            await asyncio.sleep(GAP_S)
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        answered += 1
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1], came


def plan(port: int, *asks: Ask, streams: int = 1) -> Plan:
    return Plan(port, "local", asks or (Ask("Hello", "Be kind."),), streams)


async def test_the_first_text_and_every_gap_are_timed_when_they_came() -> None:
    narrowest = []
    for _ in range(5):  # a machine that is busy may stand still where a piece is sent and not yet read
        async with serving(WHOLE) as (port, _):
            (one,) = await run(plan(port))
        assert one.fault == ""
        assert one.text == "one two three"
        assert one.ttft_ms >= 2 * GAP_S * 1e3  # the first event holds no text
        assert len(one.gaps_ms) == 2
        narrowest.append(min(one.gaps_ms))
    assert max(narrowest) >= GAP_S * 900


@pytest.mark.parametrize(
    ("pieces", "tokens"),
    [
        pytest.param(WHOLE, 7, id="the server's own count wins"),
        pytest.param([piece for piece in WHOLE if piece is not USAGE], 64, id="else the limit it ran into"),
        pytest.param([event("one"), event(" two"), event(finish="stop"), DONE], 2, id="else a token a piece"),
    ],
)
async def test_tokens_are_counted(pieces: list[bytes], tokens: int) -> None:
    async with serving(pieces) as (port, _):
        (one,) = await run(plan(port))
    assert one.tokens == tokens


async def test_an_event_cut_across_chunks_and_ended_the_other_way_is_read_whole() -> None:
    text = b"".join(WHOLE).replace(b"\n\n", b"\r\n\r\n")
    async with serving([text[:37], text[37:90], text[90:]]) as (port, _):
        (one,) = await run(plan(port))
    assert (one.text, one.tokens) == ("one two three", 7)


async def test_what_the_context_let_go_of_is_noted() -> None:
    shifted = event(finish="length", gateway={"context": {"shifted": True, "dropped": 96}})
    async with serving([event("one"), shifted, DONE]) as (port, _):
        (one,) = await run(plan(port))
    assert one.dropped == 96


@pytest.mark.parametrize(
    ("pieces", "head"),
    [
        pytest.param(WHOLE[:-1], HEAD, id="no end"),
        pytest.param([event("one"), DONE], HEAD, id="no finish"),
        pytest.param([event(), event(finish="stop"), DONE], HEAD, id="no text"),
        pytest.param([b"data: "], b"HTTP/1.1 429 Too Many Requests\r\n\r\n", id="a refusal"),
    ],
)
async def test_an_answer_that_is_not_whole_does_not_count(pieces: list[bytes], head: bytes) -> None:
    async with serving(pieces, head) as (port, _):
        answers = await run(plan(port))
    with pytest.raises(RuntimeError, match="1 of 1 answers do not count"):
        summary(answers, 1.0)


async def test_so_many_streams_run_side_by_side_and_no_more() -> None:
    asks = [Ask(f"{number}", "Be kind.") for number in range(6)]
    async with serving(WHOLE) as (port, came):
        answers = await run(plan(port, *asks, streams=3))
    assert len(answers) == 6
    at_once = [number for _, number in came]
    assert at_once[:3] == [1, 2, 3]
    assert max(at_once) == 3
    assert came[3][0] - came[0][0] >= len(WHOLE) * GAP_S * 0.9


async def test_timed_questions_are_sent_at_their_time_whether_or_not_others_are_answered() -> None:
    asks = [Ask(f"{number}", "Be kind.", at_s=number * GAP_S) for number in range(4)]
    began = asyncio.get_running_loop().time()
    async with serving(WHOLE) as (port, came):
        await run(plan(port, *asks, streams=0))
    assert came[-1][0] - began >= 3 * GAP_S
    assert max(number for _, number in came) > 1


def test_a_plan_survives_the_way_to_the_client() -> None:
    from dataclasses import asdict

    asked = plan(1, Ask("Hello", "Be kind.", 5, 0.5, {"response_format": {"type": "json_object"}}))
    assert Plan.read(json.dumps(asdict(asked))) == asked


def test_a_summary_holds_rates_over_the_whole_time_and_percentiles_over_all_gaps() -> None:
    one = Answered(100.0, 400.0, (10.0,) * 19 + (500.0,), 64, 220, "length", "text")
    row = summary([one, replace(one, ttft_ms=300.0, finish="stop")], 4.0)
    assert row["tokens_per_s"] == 32.0
    assert (row["ttft_p50_ms"], row["itl_p50_ms"], row["itl_p99_ms"]) == (300.0, 10.0, 500.0)
    assert row["whole"] == 0.5

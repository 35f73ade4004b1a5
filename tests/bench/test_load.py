"""The load generator measures what it says: every request is new, and an answer that is wrong does not count as one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import islice

import pytest

from bench.load import Load, fault_of, prompts, run, summary
from bench.upstream import EVENTS, JSON_ANSWER, STREAM_ANSWER, Pace, Upstream

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def upstream(gap_s: float = 0.0) -> AsyncIterator[int]:
    pace = Pace()
    pace.gap_s = gap_s
    server = await asyncio.get_running_loop().create_server(lambda: Upstream(pace), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


def test_questions_are_all_different_and_about_400_characters_long() -> None:
    asked = [text for seed in range(3) for text in islice(prompts(seed), 500)]
    assert len(set(asked)) == len(asked)
    assert all(380 <= len(text) <= 560 for text in asked)


@pytest.mark.parametrize("stream", [pytest.param(False, id="plain"), pytest.param(True, id="streamed")])
@pytest.mark.parametrize("connections", [1, 8])
async def test_the_upstream_answers_every_request_rightly(stream: bool, connections: int) -> None:
    async with upstream() as port:
        answered = await run(Load(port, "bench", connections, 40, stream))
    assert len(answered) == 40
    assert summary(answered, 1.0)["faults"] == 0


async def test_a_paced_stream_takes_as_long_as_its_gaps_and_begins_at_once() -> None:
    async with upstream(gap_s=0.001) as port:
        answers = await run(Load(port, "bench", 1, 5, stream=True))
    assert min(answer.latency_ms for answer in answers) >= EVENTS
    assert min(answer.first_byte_ms / answer.latency_ms for answer in answers) < 0.5  # the machine may be busy at one


PLAIN, STREAM = Load(1, "bench"), Load(1, "bench", stream=True)
OK = b"HTTP/1.1 200 OK"
BODY = JSON_ANSWER.partition(b"\r\n\r\n")[2]
EVENT_STREAM = b"".join(STREAM_ANSWER)


@pytest.mark.parametrize(
    ("load", "head", "body", "fault"),
    [
        pytest.param(PLAIN, OK, BODY, "", id="a right answer"),
        pytest.param(PLAIN, b"HTTP/1.1 429 Too Many", BODY, "status 429", id="a refusal"),
        pytest.param(PLAIN, OK, b'{"content": "canned"}', "not the upstream's answer", id="an answer from elsewhere"),
        pytest.param(STREAM, OK, EVENT_STREAM, "", id="a whole stream"),
        pytest.param(STREAM, OK, EVENT_STREAM.replace(b"[DONE]", b""), "a stream of", id="a stream without its end"),
        pytest.param(STREAM, OK, STREAM_ANSWER[0] + b"data: [DONE]", "a stream of 2", id="a stream cut short"),
    ],
)
def test_an_answer_counts_only_if_it_is_the_upstreams_and_whole(
    load: Load, head: bytes, body: bytes, fault: str
) -> None:
    found = fault_of(load, head, body)
    assert found.startswith(fault)
    assert bool(found) == bool(fault)

"""A client that reads many answers at once as they are streamed, and notes when each piece of text came.

It runs in a process of its own: `python -m bench.streams` reads a plan as JSON from its input and prints one JSON line.
It speaks plain HTTP to loopback and does next to nothing per piece, so that what is measured is the server.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

from bench.load import quantile


@dataclass(frozen=True, slots=True)
class Ask:
    user: str
    system: str
    max_tokens: int = 64
    at_s: float = 0.0
    """When it is sent in a plan without a fixed number of streams."""
    more: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    port: int
    model: str
    asks: tuple[Ask, ...]
    streams: int = 1
    """So many clients, each with its next question once the last is answered; 0 = each question at its own time."""
    limit_s: float = 240

    @classmethod
    def read(cls, text: str) -> Plan:
        plan = json.loads(text)
        return cls(**{**plan, "asks": tuple(Ask(**ask) for ask in plan["asks"])})


@dataclass(frozen=True, slots=True)
class Answered:
    ttft_ms: float
    """From the moment it was to be sent to its first text."""
    last_ms: float
    gaps_ms: tuple[float, ...]
    """Between one piece of text and the next."""
    tokens: int
    prompt_tokens: int = 0
    """0 where the server does not say."""
    finish: str = ""
    text: str = ""
    fault: str = ""
    dropped: int = 0
    """Tokens that the gateway says its context has let go of."""


def request_bytes(plan: Plan, ask: Ask) -> bytes:
    messages = [{"role": "system", "content": ask.system}, {"role": "user", "content": ask.user}]
    body = json.dumps(
        {
            "model": plan.model,
            "messages": messages,
            "max_tokens": ask.max_tokens,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
            **ask.more,
        }
    ).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{plan.port}\r\ncontent-type: application/json\r\n"
        f"connection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _arrivals(reader: asyncio.StreamReader) -> list[tuple[float, bytes]]:
    """Every `data:` line of a chunked answer and when it was complete."""
    found: list[tuple[float, bytes]] = []
    rest = b""
    while size := int((await reader.readline()).split(b";")[0] or b"0", 16):
        rest += await reader.readexactly(size)
        now = time.perf_counter()
        await reader.readexactly(2)
        *lines, rest = rest.split(b"\n")
        found += [(now, line[5:].strip()) for line in lines if line.startswith(b"data:")]
    return found


async def answer(plan: Plan, ask: Ask, due: float) -> Answered:
    reader, writer = await asyncio.open_connection("127.0.0.1", plan.port)
    try:
        writer.write(request_bytes(plan, ask))
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head[:16] or b"transfer-encoding: chunked" not in head.lower():
            said = head.partition(b"\r\n")[0] + b" " + await reader.read(300)
            return Answered(0, 0, (), 0, fault=f"no stream: {said!r}")
        return read(await _arrivals(reader), due, ask.max_tokens)
    finally:
        writer.close()


def read(arrived: Sequence[tuple[float, bytes]], due: float, max_tokens: int) -> Answered:
    """What an answer was and when. A server that states no usage is taken at one token a piece, or at the limit."""
    times: list[float] = []
    texts: list[str] = []
    finish, done = "", False
    usage: dict[str, Any] = {}
    dropped = 0
    for moment, data in arrived:
        if data == b"[DONE]":
            done = True
            continue
        event = json.loads(data)
        usage = event.get("usage") or usage
        dropped = event.get("gateway", {}).get("context", {}).get("dropped", dropped)
        for choice in event.get("choices") or ():
            finish = choice.get("finish_reason") or finish
            if text := choice.get("delta", {}).get("content"):
                times.append(moment)
                texts.append(text)
    if not (done and times and finish):
        return Answered(0, 0, (), 0, fault=f"not a whole answer: {len(times)} pieces, finish {finish!r}")
    counted = usage.get("completion_tokens") or (max_tokens if finish == "length" else len(times))
    gaps = tuple((later - earlier) * 1e3 for earlier, later in pairwise(times))
    return Answered(
        (times[0] - due) * 1e3,
        (times[-1] - due) * 1e3,
        gaps,
        counted,
        usage.get("prompt_tokens", 0),
        finish,
        "".join(texts),
        dropped=dropped,
    )


async def _stream(plan: Plan, asks: Iterator[Ask], answers: list[Answered]) -> None:
    for ask in asks:
        answers.append(await answer(plan, ask, time.perf_counter()))


async def _timed(plan: Plan, ask: Ask, began: float, answers: list[Answered]) -> None:
    due = began + ask.at_s
    await asyncio.sleep(due - time.perf_counter())
    answers.append(await answer(plan, ask, due))


async def run(plan: Plan) -> list[Answered]:
    answers: list[Answered] = []
    left, began = iter(plan.asks), time.perf_counter()
    async with asyncio.timeout(plan.limit_s), asyncio.TaskGroup() as clients:
        for _ in range(plan.streams):
            clients.create_task(_stream(plan, left, answers))
        for ask in plan.asks if plan.streams == 0 else ():
            clients.create_task(_timed(plan, ask, began, answers))
    return answers


def summary(answers: Sequence[Answered], wall_s: float) -> dict[str, float]:
    """Raises RuntimeError where an answer does not count: a refusal is quick and would flatter whoever sends it."""
    faults = [one.fault for one in answers if one.fault]
    if faults:
        raise RuntimeError(f"{len(faults)} of {len(answers)} answers do not count, the first: {faults[0]}")
    firsts, gaps = [one.ttft_ms for one in answers], [gap for one in answers for gap in one.gaps_ms] or [0.0]
    tokens = sum(one.tokens for one in answers)
    return {
        "tokens": tokens,
        "tokens_per_s": tokens / wall_s,
        "ttft_p50_ms": quantile(firsts, 0.5),
        "ttft_p95_ms": quantile(firsts, 0.95),
        "itl_p50_ms": quantile(gaps, 0.5),
        "itl_p95_ms": quantile(gaps, 0.95),
        "itl_p99_ms": quantile(gaps, 0.99),
        "itl_max_ms": max(gaps),
        "prompt_tokens": sum(one.prompt_tokens for one in answers) / len(answers),
        "whole": sum(one.finish == "length" for one in answers) / len(answers),
    }


if __name__ == "__main__":
    import uvloop

    _plan = Plan.read(sys.stdin.read())
    _began = time.perf_counter()
    _answers = uvloop.run(run(_plan))
    print(json.dumps({"wall_s": time.perf_counter() - _began, "answers": [asdict(one) for one in _answers]}))

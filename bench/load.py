"""A client that loads one server over kept-alive connections and checks every answer.

It runs in a process of its own, so that its CPU time is nobody else's: `python -m bench.load '{"port": …}'` prints one
JSON line. Requests are bounded in number and in time, and go to loopback alone.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count

from bench.upstream import EVENTS, MARK

# A hard question without a finding, which the default policy lets out; the words make each one new to any cache.
_ASK = (
    "Prove step by step that the {0} algorithm keeps its invariant when {1} and {2} arrive in any order, derive the "
    "asymptotic complexity for the worst case, compare the trade-offs with a {3} design, and explain why a "
    "counterexample with {4} does or does not break the theorem. Then write a Python function that implements the {5} "
    "variant, analyse its memory use, and discuss how the {6} assumption could be relaxed."
)
_WORDS = tuple(
    "scheduling routing merging consensus hashing gossip balanced streaming lazy eager sharded replicated ordered "  # noqa: SIM905
    "bounded optimistic concurrent partial weighted greedy recursive iterative cached batched adaptive".split()
)


@dataclass(frozen=True, slots=True)
class Load:
    port: int
    model: str
    connections: int = 1
    requests: int = 200
    stream: bool = False
    limit_s: float = 120
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Answered:
    latency_ms: float
    first_byte_ms: float
    fault: str = ""


def prompts(seed: int) -> Iterator[str]:
    """Questions of about 400 characters, no two alike."""
    dice = random.Random(seed)
    for number in count():
        words = [dice.choice(_WORDS) for _ in range(6)]
        yield _ASK.format(*words, f"{dice.choice(_WORDS)} {seed:x} {number:x}")


def request_bytes(load: Load, prompt: str) -> bytes:
    body = json.dumps(
        {"model": load.model, "messages": [{"role": "user", "content": prompt}], "stream": load.stream}
    ).encode()
    head = (
        f"POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{load.port}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer sk-bench\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _answer(reader: asyncio.StreamReader) -> tuple[bytes, bytes, float]:
    """Head, body and the moment of the body's first byte."""
    head = await reader.readuntil(b"\r\n\r\n")
    lower = head.lower()
    if b"transfer-encoding: chunked" in lower:
        body = await reader.read(65536)
        first = time.perf_counter()
        while not body.endswith(b"0\r\n\r\n"):
            more = await reader.read(65536)
            if not more:
                break
            body += more
        return head, body, first
    length = int(lower.split(b"content-length:")[1].split(b"\r\n")[0])
    return head, await reader.readexactly(length), time.perf_counter()


def fault_of(load: Load, head: bytes, body: bytes) -> str:
    """Why an answer does not count: measuring refusals or cut streams would flatter whoever sends them."""
    status = head.split(b" ", 2)[1].decode()
    if status != "200":
        return f"status {status}: {body[:300]!r}"
    if MARK.encode() not in body:
        return f"not the upstream's answer: {body[:300]!r}"
    if load.stream and (body.count(b"data:") < EVENTS or b"[DONE]" not in body):
        return f"a stream of {body.count(b'data:')} events"
    return ""


async def _client(load: Load, texts: Iterator[str], left: Iterator[int], answered: list[Answered]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    for _ in left:
        began = time.perf_counter()
        writer.write(request_bytes(load, next(texts)))
        head, body, first = await _answer(reader)
        ended = time.perf_counter()
        answered.append(Answered((ended - began) * 1e3, (first - began) * 1e3, fault_of(load, head, body)))
        if b"connection: close" in head.lower():
            writer.close()
            reader, writer = await asyncio.open_connection("127.0.0.1", load.port)
    writer.close()


async def run(load: Load) -> list[Answered]:
    answered: list[Answered] = []
    texts, left = prompts(load.seed), iter(range(load.requests))
    async with asyncio.timeout(load.limit_s), asyncio.TaskGroup() as clients:
        for _ in range(load.connections):
            clients.create_task(_client(load, texts, left, answered))
    return answered


def quantile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def summary(answered: list[Answered], wall_s: float) -> dict[str, object]:
    latencies, firsts = [a.latency_ms for a in answered], [a.first_byte_ms for a in answered]
    faults = [a.fault for a in answered if a.fault]
    return {
        "requests": len(answered),
        "per_s": len(answered) / wall_s,
        "p50_ms": quantile(latencies, 0.5),
        "p99_ms": quantile(latencies, 0.99),
        "first_byte_p50_ms": quantile(firsts, 0.5),
        "faults": len(faults),
        "first_fault": faults[0] if faults else "",
    }


if __name__ == "__main__":
    import uvloop

    _load = Load(**json.loads(sys.argv[1]))
    _began = time.perf_counter()
    _answered = uvloop.run(run(_load))
    print(json.dumps(summary(_answered, time.perf_counter() - _began)))

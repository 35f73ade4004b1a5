"""Time of one score on one core: `python -m bench.routing_speed` prints it as JSON.

A process of its own, bound to one core and one thread before numpy is imported, scores texts that it has never seen.
Processor time says what a score costs, wall time what a request waits; on a busy machine the second is larger.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio

from bench.overhead import ROOT

ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
TIMES = 400
WARM = 20
ROUNDS = 3
Timed = Callable[[str], Awaitable[object]]
SHORT = "Which of the two rivers is the longer one, number {n} or the Po?"
CHAT = (
    "Our choir wants to sing outdoors next summer and has to choose between the courtyard of the school and the meadow "
    "beside the mill. Write a letter to the members that weighs the two places against each other, for the sound, the "
    "way there and what happens if it rains, and that ends with a proposal they can vote on. Use at most {n} words."
)
MORE = (
    " This is what we know so far. The courtyard has walls on three sides, so that the basses are heard; the meadow is "
    "wider, and swifts are loud in the evening. Chairs for ninety can be borrowed from either neighbour, if we bring "
    "them back."
)


def texts(count: int) -> dict[str, list[str]]:
    """So many characters: short, about as MT-Bench's first turns, and all that is read. No two are the same."""
    long = (CHAT + MORE * 4)[:990]
    return {
        "a short question (64)": [SHORT.format(n=100 + n) for n in range(count)],
        "like MT-Bench (349)": [CHAT.format(n=200 + n)[:360] for n in range(count)],
        "as long as is read (998)": [f"{long.format(n=200 + n)} {n:07}"[-1_000:] for n in range(count)],
    }


def percentiles(taken: Sequence[float]) -> dict[str, float]:
    ordered = sorted(taken)
    return {f"p{at}": round(ordered[min(len(ordered) - 1, len(ordered) * at // 100)], 3) for at in (50, 99)}


async def timed(score: Timed, asked: Sequence[str]) -> dict[str, dict[str, float]]:
    """Milliseconds per text."""
    for text in asked[:WARM]:
        await score(text)
    cpu, wall = [], []
    for text in asked[WARM:]:
        began, clock = time.process_time_ns(), time.perf_counter_ns()
        await score(text)
        cpu.append((time.process_time_ns() - began) / 1e6)
        wall.append((time.perf_counter_ns() - clock) / 1e6)
    return {"cpu_ms": percentiles(cpu), "wall_ms": percentiles(wall)}


def speed(times: int = TIMES, rounds: int = ROUNDS) -> dict[str, Any]:
    """Measured in processes of their own; what stands is each scorer's quietest round, for a machine has other work."""
    every = [_round(times) for _ in range(rounds)]
    return {name: min((one[name] for one in every), key=_middle) for name in every[0]}


def _middle(found: dict[str, Any]) -> float:
    return float(sum(timed["cpu_ms"]["p50"] for size, timed in found.items() if size != "load_ms"))


def _round(times: int) -> dict[str, Any]:
    code = [sys.executable, "-m", "bench.routing_speed", str(times)]
    environment = {**os.environ, **ONE_THREAD}
    done = subprocess.run(code, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def measure(times: int) -> dict[str, Any]:
    from bench.routing_shipped import to_time

    found: dict[str, Any] = {}
    for name, make in to_time().items():
        began = time.process_time_ns()
        score = make()
        await score("a first text")
        found[name] = {"load_ms": round((time.process_time_ns() - began) / 1e6, 1)}
        found[name] |= {size: await timed(score, asked) for size, asked in texts(times + WARM).items()}
    return found


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    print(json.dumps(anyio.run(measure, int(sys.argv[1]) if len(sys.argv) > 1 else TIMES)))


if __name__ == "__main__":
    main()

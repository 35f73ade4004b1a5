"""How long the gateway's event loop is kept from its work while the engine answers.

`python -m bench.lag PLAN` with a configuration and a load as JSON runs the gateway as `gateway serve` does, with one
task more that sleeps 5 ms again and again: what it wakes too late by is what a request arriving at that moment would
wait. The load comes from a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from bench.engine_scenarios import tales
from bench.load import quantile
from bench.overhead import ROOT
from bench.process import answers
from bench.streams import Plan
from gateway.commands.serve import _serve, listen  # the whole of it, on this loop: a copy would measure something else
from gateway.settings import load_settings

SLEEP_S = 0.005


@dataclass(frozen=True, slots=True)
class Watch:
    config: str
    ready: str
    streams: int = 8
    requests: int = 16
    idle_s: float = 1.0


async def watch_loop(over: anyio.Event, into: list[float]) -> None:
    while not over.is_set():
        due = time.perf_counter() + SLEEP_S
        await asyncio.sleep(SLEEP_S)
        into.append((time.perf_counter() - due) * 1e3)


async def ask(port: int, streams: int, requests: int, seed: int, into: list[float] | None) -> None:
    plan = Plan(port, "local", tuple(tales(seed, requests)), streams)
    command = [sys.executable, "-m", "bench.streams"]
    async with await anyio.open_process(command, cwd=ROOT, stderr=subprocess.DEVNULL) as client:
        assert client.stdin is not None
        assert client.stdout is not None
        await client.stdin.send(json.dumps(asdict(plan)).encode())
        await client.stdin.aclose()
        over = anyio.Event()
        async with anyio.create_task_group() as tasks:
            if into is not None:
                tasks.start_soon(watch_loop, over, into)
            said = b"".join([part async for part in client.stdout])
            over.set()
    if not said or any(one["fault"] for one in json.loads(said)["answers"]):
        raise RuntimeError("the gateway did not answer rightly")


async def run(watch: Watch) -> dict[str, list[float]]:
    idle: list[float] = []
    busy: list[float] = []
    settings, folder = load_settings(Path(watch.config))
    port = settings.server.port
    listener = listen(settings.server.host, port)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(_serve, settings, folder, listener, True)
        while not await anyio.to_thread.run_sync(answers, port, watch.ready):
            await anyio.sleep(0.05)
        await ask(port, 2, 2, 7_000_000, None)
        with anyio.move_on_after(watch.idle_s):
            await watch_loop(anyio.Event(), idle)
        await ask(port, watch.streams, watch.requests, 4_000_000, busy)
        os.kill(os.getpid(), signal.SIGTERM)
    return {"idle": idle, "busy": busy}


def summary(samples: dict[str, list[float]]) -> dict[str, Any]:
    shares = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    return {
        f"{when}_{name}_ms": quantile(late, share) for when, late in samples.items() for name, share in shares.items()
    }


if __name__ == "__main__":
    _watch = Watch(**json.loads(sys.argv[1]))
    print(json.dumps(summary(anyio.run(run, _watch, backend_options={"use_uvloop": True}))))

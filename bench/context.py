"""What `context_overflow: shift` gives and takes: perplexity, memory of what was said, and one very long answer.

`make bench-context` or `python -m bench.context [--quick]`.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.engine_scenarios import Client
from bench.load import quantile
from bench.model_files import q8_0
from bench.overhead import ROOT, machine, started
from bench.peers import local_gateway
from bench.peers.served import Served
from bench.process import Running
from bench.prompts import SYSTEM
from bench.report import lines, placed
from bench.streams import Ask, Plan, summary
from gateway.engine.hosting import ENGINE_ENVIRONMENT

if TYPE_CHECKING:
    from gateway.engine.batch.context import Context

CACHE = ROOT / ".cache"
WINDOW = 512
DISTANCES = (0, 60, 120, 180, 240, 300, 360, 420, 480, 600, 900)
NEVER_STOP = {
    "logit_bias": {str(token): -100 for token in range(17)},
    "temperature": 1.5,
    "frequency_penalty": 0.5,
    "seed": 1,
}
"""SmolLM2's special tokens, three of which end a text, are never chosen; and chance enough that it does not repeat
itself for ever."""


@dataclass(frozen=True, slots=True)
class Reading:
    file: str
    threads: int
    questions: int


def read(reading: Reading) -> dict[str, Any]:
    """Perplexity and recall; in a process of its own, which the library may end and has all to itself."""
    from bench.context_reading import Facts, perplexities, recall, text
    from gateway.engine.batch.context import Context
    from gateway.engine.batch.model import Model

    model = Model(Path(reading.file))
    tokens = model.tokens(text())

    def opened(size: int) -> Context:
        return Context(model, tokens=size, threads=reading.threads)

    facts = Facts(model, tokens[: 4 * WINDOW], seed=1)
    whole = max(DISTANCES) + (reading.questions + 4) * max(len(piece) for piece in facts.pieces)
    recalls = {}
    for name, size, window in (("window", WINDOW, WINDOW), ("everything kept", whole, None)):
        context = opened(size)
        recalls[name] = recall(context, facts, DISTANCES, window, reading.questions)
        context.close()
    return {"perplexity": perplexities(opened, tokens, WINDOW), "tokens": len(tokens), "recall": recalls}


def conversation(threads: int, tokens: int, work: Path) -> dict[str, Any]:
    """One answer many contexts long through the whole gateway: time between tokens and memory, stretch by stretch."""
    peer = local_gateway.peer(work, Served(q8_0(CACHE), threads, context=1024, slots=1, overflow="shift"))
    asked = Ask("Tell me a story that never ends, chapter after chapter.", SYSTEM, tokens, more=NEVER_STOP)
    program = peer.start()
    with started(program, peer.ready):
        memory = [(0.0, program.memory_mb())]
        began = time.perf_counter()
        answering = Client(Plan(peer.port, peer.model, (asked,), limit_s=580))
        memory += _watched(program, answering, began)
        wall_s, (answer,) = answering.answers()
    summary([answer], wall_s)
    return {
        "tokens": answer.tokens,
        "dropped": answer.dropped,
        "finish": answer.finish,
        "stretches": stretches(answer.ttft_ms, answer.gaps_ms, memory, parts=5),
    }


def _watched(program: Running, answering: Client, began: float) -> list[tuple[float, float]]:
    """Memory twice a second until the client is done."""
    samples = []
    while not answering.over:
        time.sleep(0.5)
        samples.append((time.perf_counter() - began, program.memory_mb()))
    return samples


def stretches(
    ttft_ms: float, gaps_ms: tuple[float, ...], memory: list[tuple[float, float]], parts: int
) -> list[dict[str, float]]:
    size, at_ms, rows = max(1, len(gaps_ms) // parts), ttft_ms, []
    for start in range(0, size * parts, size):
        gaps = list(gaps_ms[start : start + size])
        until_ms = at_ms + sum(gaps)
        seen = [mb for second, mb in memory if at_ms <= second * 1e3 <= until_ms] or [memory[-1][1]]
        shares = {"p50": 0.5, "p99": 0.99, "max": 1.0}
        rows.append(
            {
                "until": start + len(gaps) + 1,
                **{f"itl_{name}_ms": quantile(gaps, share) for name, share in shares.items()},
                "memory_mb": max(seen),
            }
        )
        at_ms = until_ms
    return rows


def tables(found: dict[str, Any]) -> str:
    about, said = found["machine"], found["conversation"]
    head = [f"window of {WINDOW} tokens, {found['tokens']} read", f"perplexity of the first {WINDOW}"]
    head += ["of those beyond", "processor time"]
    body = [
        [row["name"], f"{row['within']:.2f}", f"{row['beyond']:.2f}", f"{row['cpu_s']:.1f} s"]
        for row in found["perplexity"]
    ]
    parts = [f"{about['cpu']}, {about['cores']} cores, Python {about['python']}.", lines(head, body)]
    head = ["tokens between a fact and the question for it", *(str(distance) for distance in DISTANCES)]
    names = {"window": f"window of {WINDOW}", "everything kept": "everything kept"}
    body = [
        [names[name], *(f"{share[str(distance)]:.0%}" for distance in DISTANCES)]
        for name, share in found["recall"].items()
    ]
    parts.append(lines(head, body))
    head = [f"one answer of {said['tokens']} tokens in a context of 1024, {said['dropped']} dropped"]
    head += ["between tokens p50", "p99", "longest", "memory"]
    body = [
        [
            f"up to token {row['until']:.0f}",
            *(f"{row[f'itl_{name}_ms']:.1f} ms" for name in ("p50", "p99", "max")),
            f"{row['memory_mb']:.0f} MB",
        ]
        for row in said["stretches"]
    ]
    return "\n\n".join([*parts, lines(head, body)])


def run(quick: bool, threads: int, work: Path) -> dict[str, Any]:
    reading = Reading(str(q8_0(CACHE)), threads, 8 if quick else 40)
    said = subprocess.run(
        [sys.executable, "-m", "bench.context", "--reading", json.dumps(asdict(reading))],
        cwd=ROOT,
        check=True,
        env={**os.environ, **ENGINE_ENVIRONMENT},
        stdout=subprocess.PIPE,
        text=True,
    )
    return {
        "machine": machine(),
        **json.loads(said.stdout),
        "conversation": conversation(threads, 3_000 if quick else 20_000, work),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer questions, a shorter answer: a look")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results" / "context.json")
    parser.add_argument("--reading", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.reading:
        print(json.dumps(read(Reading(**json.loads(options.reading)))))
        return
    (CACHE / "bench").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE / "bench") as work:
        found = run(options.quick, options.threads, Path(work))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1))
    print(tables(found))
    if options.write:
        page = ROOT / "docs" / "performance.md"
        page.write_text(placed(page.read_text(), tables(found), mark="context"))


if __name__ == "__main__":
    main()

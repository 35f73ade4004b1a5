"""What a transform lets out of private requests: `python bench/rewrite.py --data pupa.jsonl [--rows 40] [--json FILE]`.

Rows hold `text` and `spans` (start, end, label): the private units. For each way out it prints the share of a row's
units that occur in what would leave: as it is, pseudonymised, and rewritten by the local model; and how many rows the
checks keep at home.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from pathlib import Path
from typing import Any

import anyio

from gateway.core.errors import EgressDenied
from gateway.core.types import Assessment, Principal, Request
from gateway.detect import Scanner
from gateway.engine.files.catalogue import DEFAULT_MODEL, find
from gateway.engine.local import LocalEngine
from gateway.engine.options import EngineOptions
from gateway.transform import Pseudonymise, Rewrite

LONGEST = 4000
"""Characters of a request; longer ones do not fit the context of a small model."""


def units(row: dict[str, Any]) -> set[str]:
    """The row's private units, each once, as they stand in its text."""
    said = {row["text"][start:end].strip().casefold() for start, end, *_ in row["spans"]}
    return {unit for unit in said if len(unit) > 2}


def leaked(private: set[str], text: str) -> float:
    folded = text.casefold()
    return sum(unit in folded for unit in private) / len(private)


def rows_of(path: Path, count: int, seed: int) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [row for row in rows if row.get("spans") and len(row["text"]) <= LONGEST and units(row)]
    random.Random(seed).shuffle(rows)
    return rows[:count]


async def measured(rows: list[dict[str, Any]], engine: LocalEngine, model: str) -> dict[str, Any]:
    scanner = Scanner.load(deadline_ms=5000)
    pseudonymise, rewrite = Pseudonymise(scanner, b"bench"), Rewrite(engine, scanner, rewrite_s=120)
    as_is: list[float] = []
    masked: list[float] = []
    written: list[float] = []
    passed: list[float] = []
    seconds: list[float] = []
    empty = 0
    for number, row in enumerate(rows):
        private = units(row)
        messages = [{"role": "user", "content": row["text"]}]
        request = Request(f"b{number}", Principal(), "large", {"model": "large", "messages": messages})
        scan = await scanner.scan(request.body)
        assessment = Assessment(scan.findings, scan.unreadable)
        as_is.append(leaked(private, row["text"]))
        try:
            out = await pseudonymise.apply(request, assessment, {})
            masked.append(leaked(private, json.dumps(out.request.body, ensure_ascii=False)))
        except EgressDenied:
            masked.append(0.0)
        began = time.perf_counter()
        try:
            text = await rewrite.rewritten(request)
        except EgressDenied:
            empty += 1
            continue
        finally:
            seconds.append(time.perf_counter() - began)
        written.append(leaked(private, text))
        try:
            await rewrite.check(request, assessment, text, {})
        except EgressDenied:
            continue
        passed.append(written[-1])
    return {
        "model": model,
        "rows": len(rows),
        "leaked_as_is": mean(as_is),
        "leaked_pseudonymised": mean(masked),
        "no_rewrite": empty,
        "leaked_rewritten_unchecked": mean(written),
        "rewrites_that_may_leave": len(passed),
        "leaked_rewritten_that_leave": mean(passed),
        "rows_without_any_leak": sum(share == 0 for share in passed),
        "rewrite_s_p50": round(statistics.median(seconds), 2) if seconds else None,
    }


def mean(shares: list[float]) -> float | None:
    return round(statistics.mean(shares), 3) if shares else None


async def run(arguments: argparse.Namespace) -> None:
    model = find(arguments.model)
    engine = LocalEngine(model, EngineOptions(context=2048, threads=arguments.threads, answer_s=300))
    rows = rows_of(arguments.data, arguments.rows, arguments.seed)
    async with anyio.create_task_group() as tasks:
        await tasks.start(engine.run)
        result = await measured(rows, engine, model.id)
        tasks.cancel_scope.cancel()
    for name, value in result.items():
        print(f"{name:30} {value}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--rows", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", type=Path)
    anyio.run(run, parser.parse_args())


if __name__ == "__main__":
    main()

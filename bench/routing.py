"""How good the router is, by RouteLLM's own protocol, and how fast: docs/routing.md says what the numbers mean.

`make bench-routing ARGS="--data DIR"` or `python -m bench.routing [--routellm DIR] [--data DIR] [--write]`. Both
folders are the user's own copies of public data: RouteLLM's checkout (MMLU, GSM8K, MT-Bench with the outcomes of
GPT-4 and Mixtral), and a folder with the rows named in docs/routing.md. Nothing of any question is printed or
written, only counts and figures. Every seed is fixed: a second run gives the same figures, times apart.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from bench.detect import commit
from bench.overhead import ROOT, machine
from bench.report import placed
from bench.routing_aims import aims
from bench.routing_encoder import RememberingEncoder
from bench.routing_memory import Memory
from bench.routing_metrics import DRAWS
from bench.routing_plan import SEEDS, Lab, Measured, in_domain, left_out, transfer
from bench.routing_sets import Public, public
from bench.routing_shift import languages, realised
from bench.routing_shipped import family, lexical, shipped
from bench.routing_speed import TIMES, speed
from bench.routing_tables import tables
from gateway.score.encoder import Encoder, installed

ROUTELLM, DATA = "GATEWAY_BENCH_ROUTELLM", "GATEWAY_BENCH_ROUTING"
PAGE = ROOT / "docs" / "routing.md"
CACHE = ROOT / ".cache" / "bench"
LEARNT = "the shipped weights (docs/scoring.md)"


def measure(found: Public, lab: Lab, times: int) -> dict[str, Any]:
    result: dict[str, Any] = {
        "machine": machine(),
        "commit": commit(),
        "sets": _told(found),
        "draws": lab.draws,
        "missing": dict(found.missing) | ({} if lab.encoder else {"the encoder": "the package is not installed"}),
        "in_domain": _measured(in_domain(found, lab)),
        "left_out": _measured(left_out(found, lab)),
        "transfer": _measured(transfer(found, lab)),
        "realised": _step("shares", lambda: realised(found, lab, family)),
        "languages": _step("languages", lambda: languages(found, lab)),
        "speed": _step("speed", lambda: speed(times)) if times else {},
    }
    return result | {"aims": aims(result, dev=found.dev)}


def _told(found: Public) -> str:
    if found.mmlu is None:
        return "without MMLU;"
    half = ", the half that may be looked at while developing" if found.dev else ", RouteLLM's whole file"
    return f"MMLU: {len(set(found.mmlu.groups))} subjects{half};"


def _measured(suites: Iterator[Measured]) -> dict[str, Any]:
    result = {}
    began = time.perf_counter()
    for name, suite in suites:
        result[name] = suite
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
        began = time.perf_counter()
    return result


def _step(name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    began = time.perf_counter()
    result = work()
    print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return result


def laboratory(options: argparse.Namespace) -> Lab:
    reader = RememberingEncoder(CACHE) if installed() and not options.fast else None
    if reader is not None:
        reader.load()
    draws, seeds = (100, SEEDS[:1]) if options.quick else (DRAWS, SEEDS)
    memory = Memory(reader is not None, reader or Encoder())
    return Lab(memory.fit, lexical, shipped(reader), LEARNT, reader is not None, draws, seeds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--routellm", type=Path, default=_named(ROUTELLM), help=f"RouteLLM's checkout: ${ROUTELLM}")
    parser.add_argument("--data", type=Path, default=_named(DATA), help=f"a folder of rows (default: ${DATA})")
    parser.add_argument("--fast", action="store_true", help="without the encoder")
    parser.add_argument("--quick", action="store_true", help="a look: one seed, few draws, few times")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/routing.md")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results" / "routing.json")
    options = parser.parse_args()
    for folder in (options.routellm, options.data):
        if folder and not folder.is_dir():
            parser.error(f"there is no folder {str(folder)!r}")
    found = measure(public(options.routellm, options.data), laboratory(options), TIMES // (8 if options.quick else 1))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = tables(found)
    print(text)
    if options.write:
        PAGE.write_text(placed(PAGE.read_text(encoding="utf-8"), text, "routing"), encoding="utf-8")


def _named(variable: str) -> Path | None:
    return Path(named) if (named := os.environ.get(variable)) else None


if __name__ == "__main__":
    main()

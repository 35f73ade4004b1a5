"""What looking costs: processor time by length of text, for texts made to be slow, and from a cold start."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bench.detect_nasty import SIZE, texts
from bench.detect_texts import SIZES, made

ROOT = Path(__file__).resolve().parent.parent
TIMES = {200: 400, 2_000: 200, 20_000: 40}
LONG = 15.0
"""Seconds after which a detector is stopped over one text."""

Cost = Callable[[str], float]
"""Processor time in ms that looking at a text takes."""


def by_length(cost: Cost, times: int = 1) -> dict[str, dict[str, float]]:
    """p50 and p99, over texts without and with private values in turn; a `times`-th of the texts for slow detectors."""
    found = {}
    for size in SIZES:
        count = max(10, TIMES[size] // times)
        for seed in range(5):
            cost(made(size, private=True, seed=1_000_000 + seed))
        spent = sorted(cost(made(size, private=bool(seed % 2), seed=seed)) for seed in range(count))
        found[str(size)] = {"p50_ms": statistics.median(spent), "p99_ms": spent[min(count - 1, int(count * 0.99))]}
    return found


def nasty(cost: Cost, times: int = 1, *, growth: bool = False) -> dict[str, dict[str, float]]:
    """The best of so many times, and how much a text four times as long costs more: 4 is linear."""
    short = texts(SIZE // 4)
    found = {}
    for name, text in texts().items():
        whole = min(cost(text) for _ in range(times))
        found[name] = {"ms": whole}
        if growth:
            found[name]["growth"] = whole / max(min(cost(short[name]) for _ in range(times)), 1e-3)
    return found


def start(pack: Path, *, first: bool = True) -> dict[str, dict[str, float]]:
    """Of the gateway's detectors in a process of their own: with the compiled pack in `pack`, and first without one."""
    with tempfile.TemporaryDirectory() as empty:
        folders = {"first start": Path(empty)} if first else {}
        return {name: _started(folder) for name, folder in {**folders, "later starts": pack}.items()}


def _started(pack: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.detect_start", str(pack)]
    answer = subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    found: dict[str, float] = json.loads(answer.stdout)
    return found

"""Loads the gateway for a while and fails where its memory or its open files keep growing, or an answer is not right.

`make soak ARGS="--minutes 30"`. The load alternates between plain and streamed answers and between few and many
connections, against the same upstream as the overhead measurement. It stops by itself.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from itertools import cycle
from pathlib import Path
from statistics import median

from bench.load import Load
from bench.overhead import ROOT, ask, started
from bench.peers import gateway
from bench.peers.peer import Peer
from bench.process import Running, free_port

_SHAPES = ((1, 100, False), (8, 400, False), (8, 16, True), (32, 400, False), (32, 64, True))


@dataclass(frozen=True, slots=True)
class Sample:
    at_s: float
    requests: int
    cpu_ms: float
    memory_mb: float
    files: int


def soak(peer: Peer, program: Running, seconds: float) -> list[Sample]:
    began, samples = time.perf_counter(), []
    for turn, (connections, requests, stream) in enumerate(cycle(_SHAPES)):
        if time.perf_counter() - began > seconds:
            break
        before = program.cpu_s()
        ask(Load(peer.port, peer.model, connections, requests, stream, seed=turn + 1))
        cpu_ms = (program.cpu_s() - before) / requests * 1e3
        now = time.perf_counter() - began
        samples.append(Sample(now, requests, cpu_ms, program.memory_mb(), program.open_files()))
        if turn % len(_SHAPES) == len(_SHAPES) - 1:
            done = sum(sample.requests for sample in samples)
            print(f"{now:6.0f} s  {done:8d} requests  {samples[-1].memory_mb:6.1f} MB  {samples[-1].files:4d} files")
    return samples


def growth(samples: list[Sample]) -> tuple[float, float]:
    """Megabytes and open files gained from the second quarter, when caches have filled, to the last one."""
    quarter = max(1, len(samples) // 4)
    early, late = samples[quarter : 2 * quarter] or samples[:1], samples[-quarter:]
    memory = median(s.memory_mb for s in late) - median(s.memory_mb for s in early)
    return memory, median(s.files for s in late) - median(s.files for s in early)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=5)
    parser.add_argument("--max-mb", type=float, default=16, help="growth allowed after the first quarter")
    parser.add_argument("--max-files", type=float, default=16)
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results" / "soak.json")
    options = parser.parse_args()
    home = ROOT / ".cache" / "bench"
    home.mkdir(parents=True, exist_ok=True)
    upstream = free_port()
    with tempfile.TemporaryDirectory(dir=home) as folder:
        work = Path(folder)
        source = Running([sys.executable, "-m", "bench.upstream", str(upstream)], upstream, log=work / "upstream.log")
        with started(source, "/gap/0"):
            peer = gateway.peer(work, upstream, cache_mb=4)  # soon full, so that what still grows is a leak
            program = peer.start()
            with started(program, peer.ready):
                samples = soak(peer, program, options.minutes * 60)
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps([asdict(sample) for sample in samples], indent=1))
    memory, files = growth(samples)
    print(f"growth after the first quarter: {memory:.1f} MB, {files:.0f} open files")
    if memory > options.max_mb or files > options.max_files:
        sys.exit("The gateway keeps growing.")


if __name__ == "__main__":
    main()

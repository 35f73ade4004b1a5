"""What the gateway costs per request, beside LiteLLM proxy, nginx and a bare pass-through in the same run.

`make bench` or `python -m bench.overhead [--quick]`: every peer stands before the same upstream, which answers at once;
the same client asks each in turn, round after round, so that a machine that slows down slows down all of them. CPU time
is that of the peer's whole process tree and comes from the kernel; the client's and the upstream's are not in it.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

from bench.load import Load
from bench.peers import gateway, litellm_proxy, nginx, passthrough
from bench.peers.peer import NotHere, Peer
from bench.process import Running, free_port
from bench.report import Results, placed, table
from bench.upstream import EVENTS

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Scenario:
    name: str
    connections: int
    requests: int
    stream: bool = False
    gap_ms: float = 0


def scenarios(quick: bool) -> list[Scenario]:
    share = 4 if quick else 1
    return [
        Scenario("JSON, 1 connection", 1, 400 // share),
        Scenario("JSON, 8 connections", 8, 800 // share),
        Scenario("stream, 1 connection", 1, 40 // share, stream=True),
        Scenario("stream, 8 connections", 8, 80 // share, stream=True),
        Scenario("stream paced 2 ms, 8 connections", 8, 48 // share, stream=True, gap_ms=2),
    ]


@contextlib.contextmanager
def started(program: Running, ready: str) -> Iterator[float]:
    try:
        yield program.wait_ready(ready)
    finally:
        program.stop()


def ask(load: Load) -> dict[str, float]:
    answer = subprocess.run(
        [sys.executable, "-m", "bench.load", json.dumps(asdict(load))],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    summary: dict[str, float] = json.loads(answer.stdout)
    if summary["faults"]:
        raise RuntimeError(f"{summary['faults']} answers do not count, the first: {summary['first_fault']}")
    return summary


def pace(upstream: int, gap_ms: float) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", upstream, timeout=5)
    connection.request("GET", f"/gap/{gap_ms:g}")
    connection.getresponse()
    connection.close()


def measure(peer: Peer, program: Running, scenario: Scenario, seed: int) -> dict[str, float]:
    load = Load(peer.port, peer.model, scenario.connections, scenario.requests, scenario.stream, seed=seed)
    before = program.cpu_s()
    summary = ask(load)
    spent = program.cpu_s() - before
    return {
        "cpu_ms": spent / scenario.requests * 1e3,
        **{key: summary[key] for key in ("p50_ms", "p99_ms", "first_byte_p50_ms", "per_s")},
    }


def start_up(peer: Peer, times: int) -> dict[str, float]:
    """Seconds to ready and memory once ready and once a few requests have gone through."""
    ready, fresh, warm = [], [], []
    for attempt in range(times):
        program = peer.start()
        with started(program, peer.ready) as seconds:
            ready.append(seconds)
            fresh.append(program.memory_mb())
            ask(Load(peer.port, peer.model, requests=20, seed=9_000_000 + attempt))
            warm.append(program.memory_mb())
    return {"ready_s": median(ready), "ready_mb": median(fresh), "warm_mb": median(warm)}


def imports_litellm(peer: Peer) -> bool:
    """Whether the process imports litellm, by Python's own import log, from start to the end of its first answers."""
    program = peer.start(PYTHONPROFILEIMPORTTIME="1")
    already = len(program.log_text())
    with started(program, peer.ready):
        ask(Load(peer.port, peer.model, requests=5, seed=8_000_000))
        ask(Load(peer.port, peer.model, requests=2, stream=True, seed=8_100_000))
    return any(line.split("|")[-1].strip() == "litellm" for line in program.log_text()[already:].splitlines())


def present(work: Path, upstream: int, chosen: list[str]) -> tuple[list[Peer], dict[str, str]]:
    """The peers that can run here, and why the others cannot."""
    makers: dict[str, Callable[[], Peer]] = {
        "gateway": lambda: gateway.peer(work, upstream),
        "litellm": lambda: litellm_proxy.peer(work, upstream, ROOT / ".cache"),
        "nginx": lambda: nginx.peer(work, upstream),
        "bare": lambda: passthrough.peer(work, upstream),
    }
    peers, missing = [], {}
    for name in chosen or makers:
        try:
            peers.append(makers[name]())
        except NotHere as reason:
            missing[name] = str(reason)
            print(f"without {name}: {reason}", file=sys.stderr)
    return peers, missing


def rounds(peers: list[Peer], programs: dict[str, Running], upstream: int, plan: list[Scenario], times: int) -> Results:
    results: Results = {peer.name: {} for peer in peers}
    for peer in peers:
        ask(Load(peer.port, peer.model, requests=50, seed=7_000_000))
        ask(Load(peer.port, peer.model, requests=4, stream=True, seed=7_100_000))
    for turn in range(times):
        for number, scenario in enumerate(plan):
            pace(upstream, scenario.gap_ms)
            for peer in peers[turn % len(peers) :] + peers[: turn % len(peers)]:
                found = measure(peer, programs[peer.name], scenario, seed=turn * 100 + number + 1)
                results[peer.name].setdefault(scenario.name, []).append(found)
        print(f"round {turn + 1} of {times}", file=sys.stderr)
    return results


def machine() -> dict[str, object]:
    names = [
        line.split(":")[1].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    return {
        "cpu": names[0] if names else platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
    }


def run(chosen: list[str], quick: bool, times: int, work: Path) -> dict[str, object]:
    upstream = free_port()
    source = Running([sys.executable, "-m", "bench.upstream", str(upstream)], upstream, log=work / "upstream.log")
    with started(source, "/gap/0"):
        peers, missing = present(work, upstream, chosen)
        startup = {peer.name: start_up(peer, 1 if quick else 3) for peer in peers}
        lazy = {peer.name: imports_litellm(peer) for peer in peers if peer.name == "gateway"}
        with contextlib.ExitStack() as stack:
            programs = {peer.name: peer.start() for peer in peers}
            for peer in peers:
                stack.enter_context(started(programs[peer.name], peer.ready))
            results = rounds(peers, programs, upstream, scenarios(quick), times)
    return {
        "machine": machine(),
        "events_per_stream": EVENTS,
        "missing": missing,
        "imports_litellm": lazy,
        "start": startup,
        "rounds": results,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="fewer requests and rounds: a look, not a figure to publish"
    )
    parser.add_argument("--rounds", type=int, default=0, help="how often every peer is measured (5, or 2 with --quick)")
    parser.add_argument("--only", action="append", default=[], choices=["gateway", "litellm", "nginx", "bare"])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results" / "overhead.json")
    options = parser.parse_args()
    if not Path("/proc/self/stat").exists():
        sys.exit("bench.overhead reads CPU time from /proc and needs Linux.")
    work_home = ROOT / ".cache" / "bench"
    work_home.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work_home) as work:
        found = run(options.only, options.quick, options.rounds or (2 if options.quick else 5), Path(work))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1))
    print(table(found))
    if options.write:
        page = ROOT / "docs" / "performance.md"
        page.write_text(placed(page.read_text(), table(found)))


if __name__ == "__main__":
    main()

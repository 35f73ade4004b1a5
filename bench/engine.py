"""What the local engine gives and costs, beside llama-cpp-python's own server and llama-server in the same run.

`make bench-engine` or `python -m bench.engine [--quick]`: the same model, the same client, the same questions. Within a
setting all servers are up and take turns, so that a machine that slows down slows down all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from typing import Any, Literal

from bench.engine_scenarios import arrivals, asked, grammar, open_loop, prefix, tales, throughput
from bench.engine_tables import tables
from bench.lag import Watch
from bench.model_files import q8_0, shipped
from bench.overhead import ROOT, machine
from bench.peers import llama_cpp_server, llama_server, local_gateway
from bench.peers.peer import NotHere, Peer
from bench.peers.served import Served
from bench.process import Running
from bench.report import placed

CACHE = ROOT / ".cache"
SERVERS = ("gateway", "llama-server", "llama_cpp.server")
ONE_AT_A_TIME = "llama_cpp.server"
"""Measured in the first round only and with 16 requests at most: it has no batch, so it gains nothing from more, and
its times to the first token would only grow."""
OPEN_SHARE = 0.6
"""Of what llama-server manages with 16 streams."""

QUIET = 0.05
"""Share of the machine that other programs may take before a figure counts as disturbed."""


@dataclass(frozen=True, slots=True)
class Setting:
    file: str
    threads: int
    shapes: tuple[tuple[int, int], ...]
    """Streams, and requests in all."""
    extras: bool = False

    @property
    def name(self) -> str:
        return f"{self.file}, {self.threads} thread{'s' if self.threads > 1 else ''}"


def settings(quick: bool, threads: list[int]) -> list[Setting]:
    if quick:
        plan = [
            Setting("same file", 2, ((1, 2), (8, 8), (16, 16)), extras=True),
            Setting("as shipped", 2, ((8, 8),)),
        ]
    else:
        all_shapes = ((1, 2), (8, 16), (16, 24))
        plan = [
            Setting("same file", 1, all_shapes),
            Setting("same file", 2, all_shapes, extras=True),
            Setting("as shipped", 1, all_shapes[:2]),
            Setting("as shipped", 2, all_shapes),
        ]
    return [setting for setting in plan if not threads or setting.threads in threads]


def served(setting: Setting) -> Served:
    as_shipped = setting.file == "as shipped"
    file = shipped() if as_shipped else q8_0(CACHE)
    return Served(file, setting.threads, encode="auto" if as_shipped else "off")


def present(work: Path, served: Served, chosen: list[str]) -> tuple[list[Peer], dict[str, str]]:
    """The servers that can run here, and why the others cannot."""
    makers: dict[str, Callable[[], Peer]] = {
        "gateway": lambda: local_gateway.peer(work, served),
        "llama-server": lambda: llama_server.peer(work, served, CACHE),
        "llama_cpp.server": lambda: llama_cpp_server.peer(work, served, CACHE),
    }
    peers, missing = [], {}
    for name in chosen or SERVERS:
        try:
            peers.append(makers[name]())
        except NotHere as reason:
            missing[name] = str(reason)
            print(f"without {name}: {reason}", file=sys.stderr)
    return peers, missing


@contextlib.contextmanager
def running(peers: list[Peer]) -> Iterator[dict[str, Running]]:
    with contextlib.ExitStack() as stack:
        programs: dict[str, Running] = {}
        for peer in peers:
            programs[peer.name] = peer.start()
            stack.callback(programs[peer.name].stop)
        for peer in peers:
            programs[peer.name].wait_ready(peer.ready)
            asked(peer, tales(7_000_000, 2, max_tokens=8), streams=2)
        yield programs


def quietest(peer: Peer, program: Running, streams: int, requests: int, seed: int) -> dict[str, float]:
    """Measured again, twice at most, while other programs are busy: who spins while waiting suffers most from them."""
    best: dict[str, float] = {}
    for attempt in range(3):
        row = throughput(peer, program, streams, requests, seed + attempt * 10_000)
        if not best or row["others"] < best["others"]:
            best = row
        if best["others"] <= QUIET:
            break
    return best


def rounds(
    peers: list[Peer], programs: dict[str, Running], setting: Setting, times: int
) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Streams → server → one row a round."""
    found: dict[str, dict[str, list[dict[str, float]]]] = {}
    for turn in range(times):
        for number, (streams, requests) in enumerate(setting.shapes):
            for peer in peers[turn % len(peers) :] + peers[: turn % len(peers)]:
                if peer.name == ONE_AT_A_TIME and turn:
                    continue
                most = min(requests, 16) if peer.name == ONE_AT_A_TIME else requests
                row = quietest(peer, programs[peer.name], streams, most, turn * 100 + number)
                found.setdefault(str(streams), {}).setdefault(peer.name, []).append(row)
                said = f"{row['tokens_per_s']:.1f} tokens/s, first after {row['ttft_p50_ms']:.0f} ms"
                also = f"others took {row['others']:.0%}"
                print(f"{setting.name}, {streams} streams, {peer.name}: {said}, {also}", file=sys.stderr)
    return found


def extras(peers: list[Peer], capacity: float, quick: bool) -> dict[str, Any]:
    """What is asked beside plain throughput: shared prompts, grammars, requests out of step."""
    batching = [peer for peer in peers if peer.name != ONE_AT_A_TIME]
    timed = arrivals(12 if quick else 48, 1.0, seed=1)
    mean_tokens = mean(ask.max_tokens for ask in timed)
    per_s = OPEN_SHARE * capacity / mean_tokens
    timed = arrivals(len(timed), per_s, seed=1)
    return {
        "open": {
            "per_s": per_s,
            "requests": len(timed),
            "servers": {peer.name: open_loop(peer, timed) for peer in batching},
        },
        "prefix": {peer.name: prefix(peer, 2 if quick else 6, seed=1) for peer in batching},
        "grammar": {
            str(streams): {peer.name: grammar(peer, streams, times, seed=6_000_000) for peer in group}
            for streams, times, group in ((1, 2 if quick else 6, peers), (8, 1 if quick else 3, batching))
        },
    }


def lag(threads: int, quick: bool, work: Path) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {}
    kinds: tuple[Literal["process", "thread"], ...] = ("process", "thread")
    for isolation in kinds:
        (folder := work / isolation).mkdir()
        peer = local_gateway.peer(folder, Served(q8_0(CACHE), threads, isolation=isolation))
        watch = Watch(peer.command[-1], peer.ready, requests=8 if quick else 24)
        with (folder / "gateway.log").open("wb") as log:  # stdout is the figures' alone
            said = subprocess.run(
                [sys.executable, "-m", "bench.lag", json.dumps(asdict(watch))],
                cwd=ROOT,
                check=True,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        found[isolation] = json.loads(said.stdout.splitlines()[-1])
    return found


def measure(setting: Setting, chosen: list[str], times: int, quick: bool, work: Path) -> dict[str, Any]:
    work.mkdir()
    peers, missing = present(work, served(setting), chosen)
    with running(peers) as programs:
        found = rounds(peers, programs, setting, times)
        memory = {name: program.memory_mb() for name, program in programs.items()}
        most = found[str(setting.shapes[-1][0])]
        base = most.get("llama-server") or most[peers[0].name]
        more = extras(peers, base[0]["tokens_per_s"], quick) if setting.extras else {}
    return {
        "name": setting.name,
        "file": setting.file,
        "threads": setting.threads,
        "streams": found,
        "memory_mb": memory,
        "missing": missing,
        "extras": more,
    }


def run(chosen: list[str], threads: list[int], quick: bool, times: int, work: Path) -> dict[str, Any]:
    plan = settings(quick, threads)
    found = [measure(setting, chosen, times, quick, work / f"setting-{number}") for number, setting in enumerate(plan)]
    wanted = "gateway" in (chosen or SERVERS)
    return {
        "machine": machine(),
        "rounds": times,
        "settings": found,
        "lag": lag(max(setting.threads for setting in plan), quick, work) if wanted else {},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--quick", action="store_true", help="fewer requests, one round: a look, not a figure to publish"
    )
    parser.add_argument(
        "--rounds", type=int, default=0, help="how often every server is measured (2, or 1 with --quick)"
    )
    parser.add_argument("--only", action="append", default=[], choices=SERVERS)
    parser.add_argument("--threads", action="append", default=[], type=int, choices=[1, 2])
    parser.add_argument("--write", action="store_true", help="put the tables into docs/performance.md")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results" / "engine.json")
    options = parser.parse_args()
    if not Path("/proc/self/stat").exists():
        sys.exit("bench.engine reads CPU time from /proc and needs Linux.")
    (CACHE / "bench").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE / "bench") as work:
        times = options.rounds or (1 if options.quick else 2)
        found = run(options.only, options.threads, options.quick, times, Path(work))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1))
    print(tables(found))
    if options.write:
        page = ROOT / "docs" / "performance.md"
        page.write_text(placed(page.read_text(), tables(found), mark="engine"))


if __name__ == "__main__":
    main()

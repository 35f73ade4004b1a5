"""What the servers of a model are asked in a measurement, and what is kept of their answers."""

from __future__ import annotations

import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from statistics import mean, median
from typing import Any

from bench.overhead import ROOT
from bench.peers.peer import Peer
from bench.process import Running, machine_busy_s
from bench.prompts import SYSTEM, handbooks, stories
from bench.streams import Answered, Ask, Plan, summary

_PROPERTIES = (
    "name age town work house family friends food music books travel weather dreams fears plans past".split()  # noqa: SIM905
)
SCHEMA = {
    "type": "object",
    "properties": {name: {"type": "string"} for name in _PROPERTIES},
    "required": _PROPERTIES,
    "additionalProperties": False,
}
"""Longer than an answer may be: one that were complete would leave its batch early and make the others faster."""
_OPENAI_SCHEMA = {"type": "json_schema", "json_schema": {"name": "person", "strict": True, "schema": SCHEMA}}
RESPONSE_FORMATS: dict[str, dict[str, Any]] = {
    "gateway": _OPENAI_SCHEMA,
    "llama-server": _OPENAI_SCHEMA,
    "llama_cpp.server": {"type": "json_object", "schema": SCHEMA},
}
"""Each asked for the same schema in the words that it knows."""


class Client:
    """The client's process, started at once. It writes to a file: a pipe that nobody reads meanwhile would fill."""

    def __init__(self, plan: Plan) -> None:
        self._said = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed when its answers are taken
        command = [sys.executable, "-m", "bench.streams"]
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=self._said, text=True)
        assert self._process.stdin is not None
        with self._process.stdin as plan_of_it:
            plan_of_it.write(json.dumps(asdict(plan)))

    @property
    def over(self) -> bool:
        return self._process.poll() is not None

    def answers(self) -> tuple[float, list[Answered]]:
        """Wait for it; how long all took, and each answer."""
        with self._said:
            if (code := self._process.wait()) != 0:
                raise RuntimeError(f"the client ended with {code}")
            self._said.seek(0)
            said = json.load(self._said)
        return said["wall_s"], [Answered(**{**one, "gaps_ms": tuple(one["gaps_ms"])}) for one in said["answers"]]


def asked(peer: Peer, asks: Sequence[Ask], streams: int) -> tuple[float, list[Answered]]:
    return Client(Plan(peer.port, peer.model, tuple(asks), streams)).answers()


def tales(seed: int, number: int, max_tokens: int = 64) -> list[Ask]:
    return [Ask(text, SYSTEM, max_tokens) for text in islice(stories(seed), number)]


def throughput(peer: Peer, program: Running, streams: int, requests: int, seed: int) -> dict[str, float]:
    """So many streams at once, each with the next question as soon as the last is answered.

    `others` is the share of the machine that programs took which are no part of this.
    """
    busy, own, clients = machine_busy_s(), program.cpu_s(), _clients_s()
    wall_s, answers = asked(peer, tales(seed, requests), streams)
    busy, own, clients = machine_busy_s() - busy, program.cpu_s() - own, _clients_s() - clients
    row = summary(answers, wall_s)
    others = max(0.0, busy - own - clients) / wall_s / (os.cpu_count() or 1)
    return {**row, "cpu_ms_per_token": own / row["tokens"] * 1e3, "others": others}


def _clients_s() -> float:
    """CPU time of the clients that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def arrivals(number: int, per_s: float, seed: int) -> list[Ask]:
    """Questions that come when they come (Poisson), with answers of 16 to 128 tokens: no two streams keep step."""
    dice, at_s, asks = random.Random(seed), 0.0, []
    for ask in tales(5_000_000 + seed, number):
        at_s += dice.expovariate(per_s)
        asks.append(Ask(ask.user, ask.system, dice.randint(16, 128), at_s))
    return asks


def open_loop(peer: Peer, asks: Sequence[Ask]) -> dict[str, float]:
    wall_s, answers = asked(peer, asks, streams=0)
    return summary(answers, wall_s)


def prefix(peer: Peer, times: int, seed: int) -> dict[str, float]:
    """The first question under a system prompt of 400 tokens, and the next one under the same."""
    asks = []
    for number, book in enumerate(islice(handbooks(seed), times)):
        asks += [Ask(f"What does rule {number + turn} say?", book, 4) for turn in (1, 2)]
    _, answers = asked(peer, asks, streams=1)
    summary(answers, 1.0)
    cold, warm = [one.ttft_ms for one in answers[0::2]], [one.ttft_ms for one in answers[1::2]]
    ratios = [before / after for before, after in zip(cold, warm, strict=True)]
    return {"cold_ms": median(cold), "warm_ms": median(warm), "ratio": median(ratios)}


def grammar(peer: Peer, streams: int, times: int, seed: int) -> dict[str, float]:
    """Time for each token after the first, free and held to a schema; the two take turns."""
    free: list[float] = []
    held: list[float] = []
    for turn in range(times):
        texts = islice(stories(seed + turn, sentences=1), streams)
        questions = [f"{text} Describe one person of it as JSON: {', '.join(_PROPERTIES)}." for text in texts]
        for into, more in ((free, {}), (held, {"response_format": RESPONSE_FORMATS[peer.name]})):
            _, answers = asked(peer, [Ask(text, SYSTEM, 64, more=more) for text in questions], streams)
            summary(answers, 1.0)
            into.append(mean((one.last_ms - one.ttft_ms) / max(1, one.tokens - 1) for one in answers))
    costs = [with_schema / without - 1 for with_schema, without in zip(held, free, strict=True)]
    return {"free_ms": median(free), "held_ms": median(held), "cost": median(costs)}

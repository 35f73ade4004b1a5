"""Clients of all kinds on a real gateway while its model's process is shot: how each request ended, how soon it rose.

Many deaths without an answer in between would make the engine rest, so a shot may have to wait for one.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import httpx

from tests.support.serving import Serving

PLANTED = "zanzibar-marmalade"
"""Stands in every prompt and must stand in no log."""
PATIENCE_S = 240
"""A request without a word for so long hangs. On a busy machine a full queue alone takes tens of seconds."""
LEAST_SHOTS = 4

CITY = {
    "type": "object",
    "properties": {"city": {"type": "string", "maxLength": 12}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}
WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": CITY | {"properties": {"city": {"enum": ["Lyon", "Turin"]}}}
                 | {"required": ["city"]}},
}  # fmt: skip
SHAPES: tuple[dict[str, Any], ...] = (
    {"max_tokens": 12},
    {"max_tokens": 30, "temperature": 0},
    {"max_tokens": 30, "stream": True},
    {"max_tokens": 20, "stream": True, "stream_options": {"include_usage": True}, "n": 2, "temperature": 1},
    {"max_tokens": 12, "n": 3, "temperature": 1.2, "seed": 5},
    {"max_tokens": 50, "response_format": {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY}}},
    {"max_tokens": 40, "stream": True, "tools": [WEATHER], "tool_choice": "required"},
    {"max_tokens": 20, "tools": [WEATHER], "parallel_tool_calls": False},
    {"max_tokens": 16, "stream": True, "logprobs": True, "top_logprobs": 2},
    {"max_tokens": 400, "stream": True, "leaves": True},
    {"max_tokens": 400, "leaves": True},
    {"max_tokens": 400, "stream": True, "n": 2, "leaves": True},
    {"max_tokens": 30, "stream": True, "words": 200},
    {"max_tokens": 8, "words": 4000, "wrong": "context_length_exceeded"},
    {"temperature": 7, "wrong": "invalid_value"},
)
"""Bodies, with what only the client knows: that it `leaves`, how many `words` it adds, what it does `wrong`."""

LATER = frozenset({429, 502, 503, 504})
"""Statuses that a request which is right may get while the model dies or is busy."""


@dataclass(frozen=True, slots=True)
class End:
    """How a request ended: `answer`, `error` or `left`; or what was wrong with its end."""

    kind: str
    code: str = ""
    problem: str = ""
    took_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Shot:
    signal: str
    pid: int
    down_s: float
    """Until another child was ready, or this one went on."""


@dataclass
class Chaos:
    """What happened, and how long it goes on: `until`, or up to `latest` for want of shots."""

    until: float
    latest: float
    ends: list[End] = field(default_factory=list)
    shots: list[Shot] = field(default_factory=list)
    children: set[int] = field(default_factory=set)
    proven: float = 0.0
    """When the latest request that was answered had begun."""

    @property
    def over(self) -> bool:
        return time.monotonic() >= (self.until if len(self.shots) >= LEAST_SHOTS else self.latest)

    @property
    def problems(self) -> list[str]:
        return [end.problem for end in self.ends if end.problem]

    def __str__(self) -> str:
        ends = Counter(f"{end.kind} {end.code}".strip() for end in self.ends)
        shots = Counter(shot.signal for shot in self.shots)
        down = sorted(shot.down_s for shot in self.shots) or [0.0]
        return (
            f"{len(self.ends)} requests: {dict(ends.most_common())}; {len(self.shots)} shots: {dict(shots)}; "
            f"down p50 {down[len(down) // 2]:.2f} s, at most {down[-1]:.2f} s; "
            f"longest request {max((end.took_s for end in self.ends), default=0):.1f} s"
        )


async def chaos(gateway: Serving, keys: Sequence[str], seconds: float, seed: int, *, hangs: bool = False) -> Chaos:
    """Load `gateway` with one client per key for so long, shooting; `hangs` lets stopped children lie until found.

    Where a child takes long to rise it goes on until there were LEAST_SHOTS, three times as long at most.
    """
    seen = Chaos(time.monotonic() + seconds, time.monotonic() + 3 * seconds)
    limits = httpx.Limits(max_keepalive_connections=0)
    async with (
        httpx.AsyncClient(base_url=gateway.url, trust_env=False, timeout=PATIENCE_S, limits=limits) as http,
        anyio.create_task_group() as tasks,
    ):
        for number, key in enumerate(keys):
            tasks.start_soon(_client, http, key, random.Random(f"{seed}/{number}"), seen)
        await _shoot(gateway, random.Random(seed), seen, hangs=hangs)
    return seen


# ── Clients ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _client(http: httpx.AsyncClient, key: str, rng: random.Random, seen: Chaos) -> None:
    while not seen.over:
        shape = dict(rng.choice(SHAPES))
        leaves = rng.uniform(0.01, 1.0) if shape.pop("leaves", False) else None
        wrong = shape.pop("wrong", "")
        words = " word" * shape.pop("words", 0)
        subject = rng.choice(["a llama", "the sea", "Lyon", "an old clock"])
        text = f"Tell me about {subject}, {PLANTED} {rng.random()}.{words}"
        body = {"model": "local", "messages": [{"role": "user", "content": text}], **shape}
        began = time.monotonic()
        end = End("left")
        with anyio.move_on_after(leaves):
            try:
                with anyio.fail_after(PATIENCE_S):
                    end = await _ask(http, key, body, wrong)
            except TimeoutError:
                end = End("hung", problem=f"no end within {PATIENCE_S} s: {sorted(shape)}")
            except httpx.HTTPError as error:
                end = End("broken", problem=f"{type(error).__name__} ({error}): {sorted(shape)}")
        seen.ends.append(End(end.kind, end.code, end.problem, time.monotonic() - began))
        if end.kind == "answer":
            seen.proven = max(seen.proven, began)
        if end.code and not wrong:
            await anyio.sleep(rng.uniform(0.05, 0.3))  # clients that are told no wait a little


async def _ask(http: httpx.AsyncClient, key: str, body: Mapping[str, Any], wrong: str) -> End:
    headers = {"authorization": f"Bearer {key}"}
    async with http.stream("POST", "/v1/chat/completions", json=body, headers=headers) as response:
        if response.status_code != 200:
            await response.aread()
            return _refusal(response, wrong)
        if wrong:
            return End("answer", problem=f"answered what is wrong: {wrong}")
        if body.get("stream"):
            return _streamed([line[6:] async for line in response.aiter_lines() if line.startswith("data: ")], body)
        await response.aread()
        return _whole(response.json(), body)


def _refusal(response: httpx.Response, wrong: str) -> End:
    error = response.json().get("error")
    if problem := _not_openais(error):
        return End("error", problem=f"{response.status_code} {problem}")
    code = str(error["code"])
    expected = response.status_code == 400 and code == wrong if wrong else response.status_code in LATER
    if wrong and response.status_code in LATER:
        expected = True  # what is wrong with it only the model can tell
    return End("error", code, "" if expected else f"status {response.status_code} {code} instead of {wrong or LATER}")


def _not_openais(error: Any) -> str:
    if not isinstance(error, dict) or set(error) != {"message", "type", "param", "code"}:
        return f"is no error in OpenAI's shape: {error!r}"
    if not (isinstance(error["message"], str) and error["message"] and isinstance(error["type"], str)):
        return "has no message or no type"
    return "shows the prompt" if PLANTED in json.dumps(error) else ""


FINISHES = frozenset({"stop", "length", "tool_calls"})


def _whole(answer: Mapping[str, Any], body: Mapping[str, Any]) -> End:
    choices = answer["choices"]
    if [choice["index"] for choice in choices] != list(range(body.get("n", 1))):
        return End("answer", problem=f"choices {[choice['index'] for choice in choices]} of {body.get('n', 1)}")
    if any(choice["finish_reason"] not in FINISHES for choice in choices) or not answer.get("usage"):
        return End("answer", problem="a choice without an end, or no usage")
    return End("answer")


def _streamed(events: Sequence[str], body: Mapping[str, Any]) -> End:
    if not events:
        return End("broken", problem="a stream without an event")
    last = events[-1]
    told = [json.loads(event) for event in events if event != "[DONE]"]
    errors = [event["error"] for event in told if "error" in event]
    if errors:
        problem = _not_openais(errors[0]) or ("" if len(errors) == 1 and "error" in told[-1] else "several errors")
        return End(
            "error", str(errors[0].get("code")), problem or ("[DONE] after an error" if last == "[DONE]" else "")
        )
    if last != "[DONE]":
        return End("broken", problem="a stream that just ends")
    ends = Counter(
        choice["index"] for event in told for choice in event["choices"] if choice["finish_reason"] in FINISHES
    )
    if ends != Counter(range(body.get("n", 1))):
        return End("answer", problem=f"ends by choice: {dict(ends)} of {body.get('n', 1)}")
    usage = [event for event in told if event.get("usage")]
    if len(usage) != ("stream_options" in body):
        return End("answer", problem=f"{len(usage)} usages")
    return End("answer")


# ── The shooter ─────────────────────────────────────────────────────────────────────────────────────────────────────

SIGNALS = [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGSTOP]


MOST_UNPROVEN = 2
"""So many children may die in a row without an answer; six make the engine rest."""


async def _shoot(gateway: Serving, rng: random.Random, seen: Chaos, *, hangs: bool) -> None:
    kinds = SIGNALS[:]
    rng.shuffle(kinds)
    parent, risen, unproven = gateway.process.pid, time.monotonic(), 0
    while not seen.over:
        await anyio.sleep(rng.uniform(0.1, 2.0))
        while unproven >= MOST_UNPROVEN and seen.proven < risen and not seen.over:
            await anyio.sleep(0.02)
        child = child_of(parent)
        if child is None or seen.over:
            continue
        unproven = 0 if seen.proven >= risen else unproven + 1
        kind = kinds[len(seen.shots) % len(kinds)]
        began = time.monotonic()
        name = await _hit(child, kind, rng, hangs=hangs)
        if "SIGCONT" not in name:
            await _risen(gateway, child, seen)
        risen = time.monotonic()
        seen.children.add(child)
        seen.shots.append(Shot(name, child, risen - began))


async def _hit(child: int, kind: signal.Signals, rng: random.Random, *, hangs: bool) -> str:
    """Send it; what is stopped goes on after a while or is killed then, unless it is left to be found."""
    with suppress(ProcessLookupError):
        os.kill(child, kind)
        if kind is signal.SIGSTOP and not hangs:
            await anyio.sleep(rng.uniform(0.1, 1.0))
            then = rng.choice([signal.SIGCONT, signal.SIGKILL])
            os.kill(child, then)
            return f"{kind.name}, {then.name}"
    return kind.name


async def _risen(gateway: Serving, child: int, seen: Chaos) -> None:
    """Wait until another child is there and has its model."""
    with anyio.fail_after(PATIENCE_S):
        while (now := child_of(gateway.process.pid)) in {None, child}:
            await anyio.sleep(0.01)
        assert now is not None
        seen.children.add(now)
        while not await anyio.to_thread.run_sync(_ready, gateway):
            await anyio.sleep(0.02)


def _ready(gateway: Serving) -> bool:
    return gateway.get("/readyz?zone=local").status_code == 200


def child_of(parent: int) -> int | None:
    """The process of the model, of the gateway with this process id."""
    return next((pid for pid, of, command in processes() if of == parent and "gateway.engine.child" in command), None)


def alive(pids: Iterable[int]) -> list[int]:
    """Which of these are still children that hold a model."""
    wanted = set(pids)
    return [pid for pid, _, command in processes() if pid in wanted and "gateway.engine.child" in command]


def processes() -> list[tuple[int, int, str]]:
    """(process id, parent's, command) of all that run."""
    if sys.platform != "linux":
        lines = subprocess.run(["ps", "-axo", "pid=,ppid=,command="], capture_output=True, text=True, check=True)
        return [(int(a), int(b), c) for a, b, c in (line.split(None, 2) for line in lines.stdout.splitlines())]
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            found.append((int(folder.name), parent, command))
    return found

"""Real first tokens of the local model over the shipped probes, kept in a file so that they are made only once."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import anyio

from gateway.calibrate.probes import Probe, load, right
from gateway.core.asking import undecided
from gateway.core.types import Principal, Request
from gateway.engine.files.catalogue import find
from gateway.engine.local import LocalEngine
from gateway.engine.options import EngineOptions

HELD = 24
ANSWER = 48


@dataclass(frozen=True, slots=True)
class Drafted:
    """One probe's answer: what was there when the hold ended, and whether the whole of it is right."""

    id: str
    lang: str
    family: str
    level: str
    text: str
    """Of the first `HELD` tokens."""
    figures: list[list[float]]
    finished: bool
    right: bool
    first_ms: float
    held_ms: float
    """From the first token to the end of the hold."""


def chosen(most: int) -> list[Probe]:
    """All English probes, for those the model speaks, and equally many of the other languages."""
    by_language = defaultdict[str, list[Probe]](list)
    for probe in load():
        if probe.check is not None:
            by_language[probe.lang].append(probe)
    english = by_language.pop("en")
    each = max(0, most - len(english)) // len(by_language)
    return english[:most] + [probe for rows in by_language.values() for probe in _spread(rows, each)]


def _spread(rows: Sequence[Probe], count: int) -> Iterator[Probe]:
    """Evenly through the file, whose neighbours are alike."""
    for number in range(min(count, len(rows))):
        yield rows[number * len(rows) // count]


def read(file: Path) -> dict[str, Drafted]:
    if not file.is_file():
        return {}
    rows = [Drafted(**json.loads(line)) for line in file.read_text(encoding="utf-8").splitlines()]
    return {row.id: row for row in rows}


async def make(file: Path, model: str, most: int, threads: int) -> list[Drafted]:
    """The drafts of the chosen probes; those in `file` are not made again."""
    known = read(file)
    probes = chosen(most)
    todo = [probe for probe in probes if probe.id not in known]
    if todo:
        async with _engine(model, threads) as engine:
            with file.open("a", encoding="utf-8") as out:
                for probe in todo:
                    known[probe.id] = row = await _draft(engine, probe)
                    out.write(json.dumps(asdict(row), ensure_ascii=False) + "\n")
                    out.flush()
    return [known[probe.id] for probe in probes]


@asynccontextmanager
async def _engine(model: str, threads: int) -> AsyncGenerator[LocalEngine, None]:
    engine = LocalEngine(find(model), EngineOptions(context=1024, threads=threads, parallel=1, encode="auto"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(engine.run)
        yield engine
        tasks.cancel_scope.cancel()


async def _draft(engine: LocalEngine, probe: Probe) -> Drafted:
    body: dict[str, Any] = {
        "model": "auto",
        "messages": [{"role": "user", "content": probe.prompt}],
        "max_tokens": ANSWER,
        "seed": 1,
    }
    request = Request(probe.id, Principal(), "auto", body)
    text, held, figures, finished = "", "", list[list[float]](), False
    first = last = began = time.perf_counter()
    async with aclosing(engine.stream(request, undecided(engine, "bench"))) as answer:
        async for pieces in answer:
            for chunk in pieces:
                if chunk.confidence and not figures:
                    first = time.perf_counter()
                text += chunk.delta.get("content") or ""
                if len(figures) < HELD and not finished:
                    figures.extend([round(each, 5) for each in one] for one in chunk.confidence or ())
                    held, last, finished = text, time.perf_counter(), chunk.finish is not None
    return Drafted(
        probe.id, probe.lang, probe.family, probe.level, held, figures, finished, right(probe, text),
        round((first - began) * 1000, 2), round((last - first) * 1000, 2),
    )  # fmt: skip

"""A line with a shadow beside it: easy public requests stay, and what answers them outside does what a test says."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
import structlog

from gateway.audit.memory import MemoryAudit
from gateway.core.errors import AuditUnavailable
from gateway.core.parts import Reply
from gateway.core.records import AuditRecord, Outcome, Receipt
from gateway.core.types import Chunk, Principal, Request
from gateway.pipeline import Pipeline
from gateway.prices import Price, PriceTable, rates
from gateway.shadow.ledger import Ledger, Row, read
from gateway.shadow.worker import Shadow, ShadowOptions
from tests.support.line import POLICY, FixedScorer, Line, Lines, ScriptedRemote, asking
from tests.support.waiting import PATIENCE_S

EASY = "Say hello."
MEASURED = "share: 1.0, to: large"
PRICES = PriceTable({"large": Price(rates(Decimal(2), Decimal(8)))}, "large")


def public(text: str = EASY, **more: Any) -> Request:
    return replace(asking(text, **more), principal=Principal(public=True))


def measuring(policy: str, told: str = MEASURED) -> str:
    """The same policy, with what it says about asking twice."""
    return f"{policy.rstrip()}\nshadow: {{{told}}}\n" if told else policy


class FailingAudit(MemoryAudit):
    """Takes what the client's request leaves, and nothing of its shadow."""

    async def write(self, record: AuditRecord, *, durable: bool = True) -> Receipt:
        if record.request_id.endswith("-shadow") and durable:
            raise AuditUnavailable("the disk is full")
        return await super().write(record, durable=durable)


@dataclass
class Shaded:
    line: Line
    pipeline: Pipeline
    path: Path
    results: list[tuple[str, Outcome | None]] = field(default_factory=list)
    log: structlog.testing.CapturingLogger = field(default_factory=structlog.testing.CapturingLogger)

    @property
    def outside(self) -> ScriptedRemote:
        return self.line.remotes["large"]

    async def ask(self, request: Request) -> tuple[Reply, list[Chunk]]:
        async with self.pipeline.handle(request) as reply:
            return reply, [chunk async for pieces in reply.pieces for chunk in pieces]

    async def result(self, number: int = 1) -> str:
        """How the shadow went, once it has."""
        with anyio.fail_after(PATIENCE_S):
            while len(self.results) < number or len(self.log.calls) < number:
                await anyio.sleep(0.005)
        return self.results[number - 1][0]

    async def nothing(self) -> None:
        """Long enough for a shadow that should not be there to show."""
        await anyio.sleep(0.1)
        assert self.results == []
        assert self.events("-shadow") == []

    def events(self, suffix: str = "-shadow") -> list[str]:
        return [each.event for each in self.line.audit.records if each.request_id.endswith(suffix)]

    @property
    def rows(self) -> list[Row]:
        return list(read(self.path))


Shading = Callable[..., AbstractAsyncContextManager[Shaded]]


@pytest.fixture
def shading(tmp_path: Path) -> Shading:
    """Runs one; `measured` is what the policy says of it, `options` those of `ShadowOptions`, `parts` of `Parts`."""

    @asynccontextmanager
    async def run(
        *remotes: ScriptedRemote, parts: dict[str, Any] | None = None, pause_s: float = 0.0, **more: Any
    ) -> AsyncIterator[Shaded]:
        names = ("budget_usd_per_day", "most_tokens")
        options = ShadowOptions(
            **{"budget_usd_per_day": 1.0, **{name: more.pop(name) for name in names if name in more}}
        )
        more.setdefault("scorer", FixedScorer(0.2))
        more["policy"] = measuring(more.get("policy", POLICY), more.pop("measured", MEASURED))
        line = Lines(tmp_path, **{"prices": PRICES, **(parts or {})})(*remotes, **more)
        shaded = Shaded(line, line.pipeline, tmp_path / "shadow.jsonl")
        logger = structlog.wrap_logger(shaded.log, processors=[], wrapper_class=structlog.BoundLogger)

        def count(result: str, outcome: Outcome | None) -> None:
            shaded.results.append((result, outcome))

        shadow = Shadow(line.parts, options, Ledger(shaded.path), logger, count, pseudonym=str.upper, pause_s=pause_s)
        shaded.pipeline = Pipeline(replace(line.parts, shadow=shadow))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(shadow.run)
            yield shaded
            tasks.cancel_scope.cancel()

    return run

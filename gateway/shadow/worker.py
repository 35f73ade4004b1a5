"""Asks again what was answered here: one request at a time, down the whole line, when the client has its answer.

A shadow is a request of its own. It is assessed anew, decided by the policy then in force as if it were hard, narrowed
to one backend, recorded, scanned at the door and released like any other; it has its own records under its own id. It
differs in what it may not do: nothing that is not PUBLIC is asked, nothing is cached or remembered, and nothing that
goes wrong reaches anybody but the log.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import anyio
import anyio.to_thread
from anyio.streams.memory import MemoryObjectSendStream

from gateway.core.errors import Refused
from gateway.core.parts import Asked, Parts, Reply
from gateway.core.records import Outcome
from gateway.core.types import Assessment, BackendSpec, Pieces, Request, Sensitivity, Usage, Zone
from gateway.shadow.agreement import agreement
from gateway.shadow.ledger import Ledger, Row
from gateway.shadow.way import SUFFIX, Way

WAITING = 8
"""Answers that wait to be compared; a further one is not measured."""
MOST_CHARACTERS = 20_000
PAUSE_S = 0.1
"""The client's last bytes and its records come first."""
PATIENCE_S = 120.0
_LEFT_OUT = frozenset({"stream", "stream_options", "logprobs", "top_logprobs", "user", "metadata"})


@dataclass(frozen=True, slots=True)
class ShadowOptions:
    budget_usd_per_day: float
    """The ceiling of every policy's own."""
    most_tokens: int = 1024
    """The longest answer that is paid for where the client sets no limit."""


@dataclass(frozen=True, slots=True)
class _Job:
    request: Request
    assessment: Assessment
    local: BackendSpec
    to: str
    said: str


class Shadow:
    """Implements `core.parts.Shadow`. `run` it beside the requests; it ends when that is cancelled.

    What is measured, and where, the policy's `shadow` says. `count` is told how each one went: measured, failed,
    refused, not_permitted, over_budget, dropped. `pseudonym` is the audit log's, for tenants.
    """

    def __init__(
        self,
        parts: Parts,
        options: ShadowOptions,
        ledger: Ledger,
        log: Any,
        count: Callable[[str, Outcome | None], None],
        *,
        pseudonym: Callable[[str], str],
        pause_s: float = PAUSE_S,
    ) -> None:
        self._options = options
        self._ledger = ledger
        self._log = log
        self._count = count
        self._pseudonym = pseudonym
        self._pause_s = pause_s
        self._prices = parts.prices
        self._policies = parts.policies
        # What a stand-in answers measures nothing.
        self._ways = {name: Way(parts, name) for name, each in parts.remotes.items() if each.spec.wire != "canned"}
        self._send: MemoryObjectSendStream[_Job] | None = None
        """Open while it runs."""

    # -- beside an answer ------------------------------------------------------------------------------------------

    def watch(self, asked: Asked, reply: Reply) -> AsyncGenerator[Pieces, None] | None:
        """The reply's pieces, noted as they pass; None where this answer is not measured."""
        told = asked.policy.shadow
        if told is None or told.to not in self._ways or not self._wants(asked, reply, told.share):
            return None
        return self._noted(asked, reply.backend, told.to, reply.pieces)

    def _wants(self, asked: Asked, reply: Reply, share: float) -> bool:
        """Plain text that was decided for and made here, that is PUBLIC, and that the client left to the gateway."""
        request, needs = asked.request, asked.assessment.needs
        return (
            reply.decision.level is Sensitivity.PUBLIC
            and reply.decision.zone is Zone.LOCAL
            and reply.way.zone is Zone.LOCAL
            and reply.cache != "hit"
            and request.model == "auto"
            and not request.local_only
            and not (needs.tools or needs.schema)
            and request.body.get("n") in (None, 1)
            and _lot(request.id) < share
        )

    async def _noted(
        self, asked: Asked, local: BackendSpec, to: str, answer: AsyncGenerator[Pieces, None]
    ) -> AsyncGenerator[Pieces, None]:
        """Submitted only when the client took all of it: who left has not been answered."""
        said: list[str] = []
        characters = 0
        async for pieces in answer:
            for chunk in pieces:
                if characters <= MOST_CHARACTERS and isinstance(text := chunk.delta.get("content"), str):
                    said.append(text)
                    characters += len(text)
            yield pieces
        if 0 < characters <= MOST_CHARACTERS and self._send is not None:
            try:
                self._send.send_nowait(_Job(asked.request, asked.assessment, local, to, "".join(said)))
            except (anyio.WouldBlock, anyio.ClosedResourceError, anyio.BrokenResourceError):
                self._count("dropped", None)

    # -- afterwards ------------------------------------------------------------------------------------------------

    async def run(self) -> None:
        self._send, receive = anyio.create_memory_object_stream[_Job](WAITING)
        async with self._send, receive:
            async for job in receive:
                await anyio.sleep(self._pause_s)
                with suppress(Exception):  # a log that cannot be written must not end the gateway
                    await self._measure(job)

    async def _measure(self, job: _Job) -> None:
        result, error, agreed, way = "failed", None, None, self._ways[job.to]
        try:
            request = self._request(job)
            result = await self._may(request, job)
            if result == "measured":
                with anyio.fail_after(PATIENCE_S):
                    agreed = agreement(job.said, await way.ask(request))
        except Refused as refused:
            result, error = "refused", type(refused).__name__
        except Exception as failed:  # noqa: BLE001 - nobody waits for it: what went wrong is told to the log
            result, error = "failed", type(failed).__name__
        outcome = way.watcher.taken()
        self._count(result, outcome)
        usd = await self._book(job, outcome, agreed)
        self._log.info(
            "shadow",
            request_id=job.request.id + SUFFIX,
            result=result,
            backend=job.to,
            error=error,
            agreement=agreed,
            cost_usd=usd,
        )

    async def _may(self, request: Request, job: _Job) -> str:
        """Whether it is worth a record. What counts is decided again on the line, by the policy in force then."""
        told, hard = self._policies.current().shadow, replace(job.assessment, gain=1.0)
        if told is None or told.to != job.to:
            return "not_permitted"
        if self._ways[job.to].policies.current().decide(request, hard).refusal is not None:
            return "not_permitted"
        ceiling, own = self._options.budget_usd_per_day, told.usd_per_day
        dearest = self._dearest(request, job)
        spent = await anyio.to_thread.run_sync(self._ledger.spent_today)
        if dearest is None or spent + dearest > (ceiling if own is None else min(own, ceiling)):
            return "over_budget"
        return "measured"

    def _dearest(self, request: Request, job: _Job) -> float | None:
        """What it may cost at most, by the scorer's count of the prompt. None where nobody knows: then nothing goes."""
        limit = request.body.get("max_completion_tokens") or request.body["max_tokens"]
        spec = self._ways[job.to].spec
        return None if self._prices is None else self._prices.cost(spec, Usage(job.assessment.tokens, limit))

    def _request(self, job: _Job) -> Request:
        body = {name: value for name, value in job.request.body.items() if name not in _LEFT_OUT}
        if not body.get("max_completion_tokens"):
            body["max_tokens"] = body.get("max_tokens") or self._options.most_tokens
        return replace(
            job.request,
            id=job.request.id + SUFFIX,
            body=body,
            stream=False,
            include_usage=False,
            use_cache=False,
            received_at=time.time(),
        )

    async def _book(self, job: _Job, outcome: Outcome | None, agreed: float | None) -> float:
        """What was spent. Where something was sent and nobody can say what that cost, it cost what it may have."""
        usd = 0.0
        if outcome is not None and outcome.attempts:
            dearest = self._dearest(self._request(job), job) or 0.0
            usd = dearest if outcome.cost_usd is None else outcome.cost_usd
        if agreed is None and not usd:
            return usd
        row = Row(
            at=round(time.time(), 3),
            family=job.assessment.family,
            language=job.assessment.language,
            local=job.local.model,
            local_digest=job.local.digest,
            backend=job.to,
            backend_digest=self._ways[job.to].spec.digest,
            gain=job.assessment.gain,
            agreement=None if agreed is None else round(agreed, 4),
            usd=usd,
            tenant=self._pseudonym(job.request.principal.tenant),
        )
        try:
            await anyio.to_thread.run_sync(self._ledger.add, row)
        except OSError as error:
            self._log.warning("shadow_not_kept", error=type(error).__name__)
        return usd


def _lot(request_id: str) -> float:
    """The request's place in a fair lottery, 0 … 1, the same at every look."""
    return int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=8).digest()) / 2**64

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
from gateway.core.ports import Observer
from gateway.core.records import Outcome
from gateway.core.types import Assessment, BackendSpec, Json, Pieces, Request, Sensitivity, Usage, Zone
from gateway.pipeline import Pipeline
from gateway.shadow.agreement import agreement
from gateway.shadow.ledger import Ledger, Row
from gateway.shadow.narrow import OF, TO, AsIfHard, Narrowed
from gateway.traffic import Looking

WAITING = 8
"""Answers that wait to be compared; a further one is not measured."""
MOST_CHARACTERS = 20_000
PAUSE_S = 0.1
"""The client's last bytes and its records come first."""
PATIENCE_S = 120.0
_LEFT_OUT = frozenset({"stream", "stream_options", "logprobs", "top_logprobs", "user", "metadata"})
_SUFFIX = "-shadow"


@dataclass(frozen=True, slots=True)
class ShadowOptions:
    backend: str
    share: float
    budget_usd_per_day: float
    most_tokens: int = 1024
    """The longest answer that is paid for where the client sets no limit."""


@dataclass(frozen=True, slots=True)
class _Job:
    request: Request
    assessment: Assessment
    local: BackendSpec
    said: str


class Shadow:
    """Implements `core.parts.Shadow`. `run` it beside the requests; it ends when that is cancelled.

    `count` is told how each one went: measured, failed, refused, not_permitted, over_budget, dropped. `pseudonym` is
    the audit log's, for tenants.
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
        self._spec = parts.remotes[options.backend].spec
        self._policies = Narrowed(parts.policies, options.backend)
        self._watcher = _Watcher(parts.observer)
        self._facts = parts.facts
        self._line = Pipeline(
            replace(
                parts,
                scorer=AsIfHard(parts.scorer),
                policies=self._policies,
                local=None,
                observer=self._watcher,
                cache=None,
                flight=None,
                facts=self._told,
                guard=None,
                traffic=None if parts.traffic is None else Looking(parts.traffic),
                cascade=None,
                shadow=None,
            )
        )
        self._send: MemoryObjectSendStream[_Job] | None = None
        """Open while it runs."""

    # -- beside an answer ------------------------------------------------------------------------------------------

    def watch(self, asked: Asked, reply: Reply) -> AsyncGenerator[Pieces, None] | None:
        """The reply's pieces, noted as they pass; None where this answer is not measured."""
        return self._noted(asked, reply.backend, reply.pieces) if self._wants(asked, reply) else None

    def _wants(self, asked: Asked, reply: Reply) -> bool:
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
            and _lot(request.id) < self._options.share
        )

    async def _noted(
        self, asked: Asked, local: BackendSpec, answer: AsyncGenerator[Pieces, None]
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
                self._send.send_nowait(_Job(asked.request, asked.assessment, local, "".join(said)))
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
        result, error, outcome, agreed = "failed", None, None, None
        try:
            request = self._request(job)
            result = await self._may(request, job)
            if result == "measured":
                self._watcher.outcome = None
                with anyio.fail_after(PATIENCE_S):
                    agreed = agreement(job.said, await self._ask(request))
        except Refused as refused:
            result, error = "refused", type(refused).__name__
        except Exception as failed:  # noqa: BLE001 - nobody waits for it: what went wrong is told to the log
            result, error = "failed", type(failed).__name__
        outcome, self._watcher.outcome = self._watcher.outcome, None
        self._count(result, outcome)
        usd = await self._book(job, outcome, agreed)
        self._log.info(
            "shadow",
            request_id=job.request.id + _SUFFIX,
            result=result,
            backend=self._options.backend,
            error=error,
            agreement=agreed,
            cost_usd=usd,
        )

    async def _may(self, request: Request, job: _Job) -> str:
        """Whether it is worth a record. What counts is decided again on the line, by the policy in force then."""
        assessment = replace(job.assessment, gain=1.0)
        if self._policies.current().decide(request, assessment).refusal is not None:
            return "not_permitted"
        dearest = self._dearest(request, job)
        spent = await anyio.to_thread.run_sync(self._ledger.spent_today)
        if dearest is None or spent + dearest > self._options.budget_usd_per_day:
            return "over_budget"
        return "measured"

    def _dearest(self, request: Request, job: _Job) -> float | None:
        """What it may cost at most, by the scorer's count of the prompt. None where nobody knows: then nothing goes."""
        limit = request.body.get("max_completion_tokens") or request.body["max_tokens"]
        return None if self._prices is None else self._prices.cost(self._spec, Usage(job.assessment.tokens, limit))

    def _request(self, job: _Job) -> Request:
        body = {name: value for name, value in job.request.body.items() if name not in _LEFT_OUT}
        if not body.get("max_completion_tokens"):
            body["max_tokens"] = body.get("max_tokens") or self._options.most_tokens
        return replace(
            job.request,
            id=job.request.id + _SUFFIX,
            body=body,
            stream=False,
            include_usage=False,
            use_cache=False,
            received_at=time.time(),
        )

    async def _ask(self, request: Request) -> str:
        async with self._line.handle(request) as reply:
            said = [chunk.delta.get("content") or "" async for pieces in reply.pieces for chunk in pieces]
        return "".join(said)

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
            backend=self._spec.name,
            backend_digest=self._spec.digest,
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

    def _told(self, request: Request, assessment: Assessment) -> dict[str, Json]:
        facts = self._facts(request, assessment) if self._facts else {}
        return {**facts, OF: request.id.removesuffix(_SUFFIX), TO: self._options.backend}


class _Watcher:
    """An `Observer` that keeps the outcome: a shadow is no request that somebody made, and is not counted as one."""

    def __init__(self, observer: Observer) -> None:
        self._observer = observer
        self.outcome: Outcome | None = None

    def finished(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def backend_failed(self, backend: str, error: Exception) -> None:
        self._observer.backend_failed(backend, error)


def _lot(request_id: str) -> float:
    """The request's place in a fair lottery, 0 … 1, the same at every look."""
    return int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=8).digest()) / 2**64

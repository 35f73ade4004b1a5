"""The line: one request from assessment to outcome. It makes every call; no step calls another.

    assess (detect, score) → decide → record `decided` → cache? → door → record `attempt` → backend → record `outcome`

`handle` is one `async with` around the whole life of a request, so that a client that leaves early still gets its
outcome recorded. Everything it needs is handed in; of ours it imports `core` alone.
"""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio

from gateway.core.errors import (
    AuditUnavailable,
    BackendBroke,
    BackendError,
    BackendRejected,
    ContextTooLong,
    EgressDenied,
    GatewayError,
    LocalModelUnfit,
    LocalUnavailable,
    NotPermitted,
    Refused,
    Unavailable,
    Unsupported,
    UnsupportedContent,
)
from gateway.core.ports import (
    AuditSink,
    Cache,
    Detector,
    LocalBackend,
    Observer,
    PolicySource,
    RemoteBackend,
    Scorer,
)
from gateway.core.release import check, release
from gateway.core.types import (
    Allowed,
    Assessment,
    AuditRecord,
    BackendSpec,
    Chunk,
    Decision,
    Json,
    Outcome,
    Pieces,
    Request,
    Scan,
    Score,
    Unreadable,
    Usage,
    Zone,
)

MAX_CACHED_CHUNKS = 20_000
CHARACTERS_PER_TOKEN = 4


class Turn(Protocol):
    """One request's place among identical ones in flight."""

    @property
    def waited(self) -> bool:
        """Another one was ahead: look into the cache again."""
        ...

    def done(self) -> None:
        """The answer is stored, or never will be: the others go on."""
        ...


class Flight(Protocol):
    """Lets identical requests in flight take turns, so that the second finds the first one's answer cached."""

    def turn(self, key: str) -> AbstractAsyncContextManager[Turn]: ...


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything the line calls, put together by wiring."""

    detector: Detector
    scorer: Scorer
    policies: PolicySource
    local: LocalBackend | None
    remotes: Mapping[str, RemoteBackend]
    audit: AuditSink
    observer: Observer
    cache: Cache | None = None
    flight: Flight | None = None
    cache_key: Callable[[Request, Decision, BackendSpec], str] | None = None
    canonical: Callable[[Mapping[str, Json]], bytes] | None = None
    facts: Callable[[Request, Assessment], dict[str, Json]] | None = None
    """The facts a policy saw, as JSON, so that `gateway why` can decide again."""


@dataclass(slots=True)
class Reply:
    """An answer that has begun: its first pieces are there, so the status can be sent."""

    decision: Decision
    way: Allowed
    backend: BackendSpec
    cache: str
    dropped: tuple[str, ...]
    pieces: AsyncGenerator[Pieces, None]


@dataclass(slots=True)
class _Trace:
    """What is noted on the way for the outcome. Numbers and names only."""

    request: Request
    began: float = field(default_factory=time.perf_counter)
    outcome: str = "client_closed"
    error: str | None = None
    decision: Decision | None = None
    way: Allowed | None = None
    assessment: Assessment | None = None
    cache: str = "off"
    attempts: int = 0
    characters: int = 0
    usage: Usage | None = None
    complete: bool = False
    detect_ms: float = 0.0
    score_ms: float = 0.0
    decide_ms: float = 0.0
    audit_ms: float = 0.0
    first_ms: float | None = None

    def note(self, pieces: Pieces) -> None:
        if self.first_ms is None:
            self.first_ms = _ms(self.began)
        for chunk in pieces:
            if content := chunk.delta.get("content"):
                self.characters += len(content)
            if chunk.usage is not None:
                self.usage = chunk.usage

    def finish(self) -> Outcome:
        decision, way, usage = self.decision, self.way, self.usage
        kinds = {finding.kind for finding in self.assessment.findings} if self.assessment else set()
        return Outcome(
            request_id=self.request.id,
            tenant=self.request.principal.tenant,
            stream=self.request.stream,
            outcome=self.outcome,
            error=self.error,
            zone=str(way.zone if way else decision.zone) if decision else "",
            backend=(way.backend if way else decision.backend) if decision else "",
            rule=(way.rule if way else decision.rule) if decision else "",
            policy=decision.policy if decision else "",
            level=str(decision.level) if decision else "",
            cache=self.cache,
            kinds=tuple(sorted(kinds)),
            attempts=self.attempts,
            prompt_tokens=usage.prompt_tokens if usage else 0,
            completion_tokens=usage.completion_tokens if usage else 0,
            detect_ms=self.detect_ms,
            score_ms=self.score_ms,
            decide_ms=self.decide_ms,
            audit_ms=self.audit_ms,
            first_ms=self.first_ms,
            total_ms=_ms(self.began),
        )


class Pipeline:
    """Takes requests down the line."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    @asynccontextmanager
    async def handle(
        self, request: Request, decided: Callable[[Decision], None] | None = None
    ) -> AsyncGenerator[Reply, None]:
        """Answer `request`; the reply is good inside the `async with`. Raises GatewayError before the first piece.

        `decided` is told the decision before any backend is asked, for edges that answer slowly.
        """
        trace = _Trace(request)
        try:
            seen: dict[Any, Any] = {}
            assessment = await self._assess(request, seen, trace)
            decision = self._decide(request, assessment, trace)
            await self._record_decided(request, assessment, decision, trace)
            if decided is not None:
                decided(decision)
            if decision.refusal is not None:
                raise refusal(decision)
            async with AsyncExitStack() as stack:
                yield await self._answer(request, decision, seen, trace, stack)
            if trace.complete:
                trace.outcome = "cached" if trace.cache == "hit" else "ok"
        except Refused as error:
            trace.outcome, trace.error = "refused", type(error).__name__
            raise
        except Exception as error:
            trace.outcome, trace.error = "error", type(error).__name__
            raise
        finally:
            with anyio.CancelScope(shield=True):  # a client that left still gets its line in the log
                await self._record_outcome(request, trace)

    # -- assess and decide ---------------------------------------------------------------------------------------

    async def _assess(self, request: Request, seen: dict[Any, Any], trace: _Trace) -> Assessment:
        assessment = await assess(self._parts.detector, self._parts.scorer, request, seen, trace)
        trace.assessment = assessment
        return assessment

    def _decide(self, request: Request, assessment: Assessment, trace: _Trace) -> Decision:
        began = time.perf_counter()
        decision = self._parts.policies.current().decide(request, assessment)
        trace.decision, trace.decide_ms = decision, _ms(began)
        return decision

    # -- answer --------------------------------------------------------------------------------------------------

    async def _answer(
        self, request: Request, decision: Decision, seen: dict[Any, Any], trace: _Trace, stack: AsyncExitStack
    ) -> Reply:
        key = self._key(request, decision)
        turn: Turn | None = None
        if key is not None:
            chunks, turn = await self._look_up(key, request, stack)
            if chunks is not None:
                return await self._replay(decision, chunks, trace, stack)
            trace.cache = "miss"
        way, spec, dropped, first, rest = await self._begin(request, decision, seen, trace, stack)
        trace.way = way
        kept: list[Chunk] | None = [] if key is not None and way.backend == decision.backend else None
        pieces = self._relay(first, rest, kept, trace)
        await stack.enter_async_context(aclosing(pieces))
        if key is not None and kept is not None:
            local = way.zone is Zone.LOCAL
            stack.push_async_callback(self._remember, key, request.principal.tenant, kept, local, trace, turn)
        return Reply(decision, way, spec, trace.cache, dropped, pieces)

    async def _begin(
        self, request: Request, decision: Decision, seen: dict[Any, Any], trace: _Trace, stack: AsyncExitStack
    ) -> tuple[Allowed, BackendSpec, tuple[str, ...], Pieces, AsyncGenerator[Pieces, None]]:
        """Ask the decision's backends in order until one gives its first pieces.

        Three cases move on to the next way inside the decision's scope: the backend failed before its first piece,
        the door found something in what would leave, or the wire cannot send a parameter. A backend that rejected the
        request ends the search: the next one would be asked the same wrong thing.
        """
        problem: GatewayError | None = None
        for way in decision.allowed:
            try:
                if way.zone is Zone.LOCAL:
                    spec, dropped, stream = self._local(request, decision)
                else:
                    spec, dropped, stream = await self._remote(way, request, decision, seen, trace)
                await stack.enter_async_context(aclosing(stream))
                first = await anext(stream, None)
                if first is not None:
                    return way, spec, dropped, first, stream
                problem = problem or BackendBroke(f"backend {way.backend!r} gave no answer")
            except (BackendRejected, AuditUnavailable):
                raise
            except (BackendError, EgressDenied, Unsupported, Unavailable) as error:
                problem = problem or error
        raise problem or LocalUnavailable("no backend is configured that may answer this request")

    def _local(
        self, request: Request, decision: Decision
    ) -> tuple[BackendSpec, tuple[str, ...], AsyncGenerator[Pieces, None]]:
        local = self._parts.local
        if local is None:
            raise LocalUnavailable(
                "this request must stay local and the local engine is off: set local.engine to llama"
            )
        return local.spec, left_aside(request.body, local.honours), local.stream(request, decision)

    async def _remote(
        self, way: Allowed, request: Request, decision: Decision, seen: dict[Any, Any], trace: _Trace
    ) -> tuple[BackendSpec, tuple[str, ...], AsyncGenerator[Pieces, None]]:
        """Through the door: what would leave is scanned again, the attempt recorded, and only then released."""
        backend = self._parts.remotes[way.backend]
        spec = backend.spec
        outgoing = backend.prepare(request)
        try:
            scan = await self._parts.detector.scan(outgoing.payload, seen)
        except Exception as error:
            raise EgressDenied("what would leave could not be scanned, so it stays") from error
        check(request, decision, backend=spec, outgoing=outgoing, scan=scan)
        trace.attempts += 1
        began = time.perf_counter()
        receipt = await self._parts.audit.write(
            AuditRecord(
                "attempt",
                request.id,
                request.principal.tenant,
                request.principal.subject,
                {
                    "number": trace.attempts,
                    "backend": spec.name,
                    "backend_digest": spec.digest,
                    "wire": spec.wire,
                    "zone": str(spec.zone),
                    "host": spec.host,
                    "region": spec.region,
                    "rule": way.rule,
                    "transform": way.transform,
                    "door": {"findings": len(scan.findings), "unreadable": len(scan.unreadable)},
                    "dropped": list(outgoing.dropped),
                },
            )
        )
        trace.audit_ms += _ms(began)
        released = release(request, decision, backend=spec, outgoing=outgoing, scan=scan, receipt=receipt)
        return spec, outgoing.dropped, backend.stream(released)

    async def _relay(
        self,
        first: Pieces,
        rest: AsyncGenerator[Pieces, None],
        kept: list[Chunk] | None,
        trace: _Trace,
    ) -> AsyncGenerator[Pieces, None]:
        """Pass pieces on, keeping count; add usage at the end where the backend sent none."""
        pieces: Pieces | None = first
        while pieces is not None:
            trace.note(pieces)
            if kept is not None and len(kept) < MAX_CACHED_CHUNKS:
                kept.extend(pieces)
            yield pieces
            pieces = await anext(rest, None)
        if trace.usage is None:
            trace.usage = self._estimate(trace)
            if kept is not None:
                kept.append(Chunk(usage=trace.usage))
            yield (Chunk(usage=trace.usage),)
        trace.complete = True

    @staticmethod
    def _estimate(trace: _Trace) -> Usage:
        """Usage where the upstream sent none: the scorer's prompt estimate, and four characters a token."""
        prompt = trace.assessment.tokens if trace.assessment else 0
        return Usage(prompt, (trace.characters + CHARACTERS_PER_TOKEN - 1) // CHARACTERS_PER_TOKEN)

    # -- cache ---------------------------------------------------------------------------------------------------

    def _key(self, request: Request, decision: Decision) -> str | None:
        parts = self._parts
        if parts.cache is None or parts.cache_key is None or not (decision.cacheable and request.use_cache):
            return None
        spec = self._spec(decision.backend)
        return parts.cache_key(request, decision, spec) if spec is not None else None

    def _spec(self, backend: str) -> BackendSpec | None:
        if backend in self._parts.remotes:
            return self._parts.remotes[backend].spec
        return self._parts.local.spec if self._parts.local else None

    async def _look_up(
        self, key: str, request: Request, stack: AsyncExitStack
    ) -> tuple[Sequence[Chunk] | None, Turn | None]:
        """The cached answer, after waiting for an identical request in flight."""
        cache, tenant = self._parts.cache, request.principal.tenant
        assert cache is not None
        chunks = await cache.get(key, tenant)
        if chunks is not None or self._parts.flight is None:
            return chunks, None
        turn = await stack.enter_async_context(self._parts.flight.turn(key))
        if turn.waited and (chunks := await cache.get(key, tenant)) is not None:
            turn.done()
        return chunks, turn

    async def _replay(self, decision: Decision, chunks: Sequence[Chunk], trace: _Trace, stack: AsyncExitStack) -> Reply:
        spec = self._spec(decision.backend)
        way = decision.allows(decision.backend)
        assert spec is not None
        assert way is not None
        trace.cache, trace.way = "hit", way

        async def all_at_once() -> AsyncGenerator[Pieces, None]:
            trace.note(chunks)
            yield chunks
            trace.complete = True

        pieces = await stack.enter_async_context(aclosing(all_at_once()))
        return Reply(decision, way, spec, "hit", (), pieces)

    async def _remember(
        self, key: str, tenant: str, kept: list[Chunk], local: bool, trace: _Trace, turn: Turn | None
    ) -> None:
        if not trace.complete or self._parts.cache is None:
            return
        if len(kept) < MAX_CACHED_CHUNKS:
            await self._parts.cache.put(key, tenant, kept, local=local)
        if turn is not None:
            turn.done()

    # -- evidence ------------------------------------------------------------------------------------------------

    async def _record_decided(
        self, request: Request, assessment: Assessment, decision: Decision, trace: _Trace
    ) -> None:
        """No record, no answer. Only LOCAL answers may go on without one, and only where the policy says so.

        Where something leaves, the `attempt` record is the one that is waited for; this one is written before it in
        the same file, so it is durable no later.
        """
        parts, spec = self._parts, self._spec(decision.backend)
        facts = parts.facts(request, assessment) if parts.facts else {}
        facts["decision"] = {
            "level": str(decision.level),
            "zone": str(decision.zone),
            "backend": decision.backend,
            "backend_digest": spec.digest if spec else "",
            "region": spec.region if spec else "",
            "rule": decision.rule,
            "transform": decision.transform,
            "policy": decision.policy,
            "policy_digest": decision.policy_digest,
            "reasons": list(decision.reasons),
            "allowed": [[way.backend, str(way.zone), way.rule, way.transform] for way in decision.allowed],
            "refusal": decision.refusal,
        }
        canonical = parts.canonical(request.body) if parts.canonical else None
        began = time.perf_counter()
        try:
            await parts.audit.write(
                AuditRecord(
                    "decided", request.id, request.principal.tenant, request.principal.subject, facts, canonical
                ),
                durable=decision.zone is Zone.LOCAL or decision.refusal is not None,
            )
        except AuditUnavailable:
            may_go_on = getattr(parts.policies.current(), "without_record", "refuse") == "local"
            if decision.zone is not Zone.LOCAL or not may_go_on:
                raise
        trace.audit_ms += _ms(began)

    async def _record_outcome(self, request: Request, trace: _Trace) -> None:
        outcome = trace.finish()
        # The answer is out and its decision was recorded; the sink's own status tells the operator when it failed.
        with suppress(AuditUnavailable):
            await self._parts.audit.write(
                AuditRecord(
                    "outcome",
                    request.id,
                    request.principal.tenant,
                    request.principal.subject,
                    {
                        "outcome": outcome.outcome,
                        "error": outcome.error,
                        "zone": outcome.zone,
                        "backend": outcome.backend,
                        "rule": outcome.rule,
                        "cache": outcome.cache,
                        "attempts": outcome.attempts,
                        "prompt_tokens": outcome.prompt_tokens,
                        "completion_tokens": outcome.completion_tokens,
                        "first_ms": None if outcome.first_ms is None else round(outcome.first_ms, 2),
                        "total_ms": round(outcome.total_ms, 2),
                    },
                ),
                durable=False,
            )
        self._parts.observer.finished(outcome)


async def assess(
    detector: Detector, scorer: Scorer, request: Request, seen: dict[Any, Any], trace: _Trace | None = None
) -> Assessment:
    """Every fact about the request. A detector that fails makes it unreadable, a scorer that fails unscored."""
    began = time.perf_counter()
    try:
        scan = await detector.scan(request.body, seen)
    except Exception:  # noqa: BLE001 - a detector that breaks its promise not to raise must still mean "private"
        scan = Scan(unreadable=(Unreadable("$", "detector_failed"),))
    scored = time.perf_counter()
    try:
        score = await scorer.score(request)
    except Exception:  # noqa: BLE001 - unscored means that no permit on complexity holds: it stays
        score = Score(gain=None)
    if trace is not None:
        trace.detect_ms, trace.score_ms = (scored - began) * 1000, _ms(scored)
    return Assessment(
        findings=scan.findings,
        unreadable=scan.unreadable,
        gain=score.gain,
        gain_confidence=score.confidence,
        language=score.language,
        language_confidence=score.language_confidence,
        needs=score.needs,
        tokens=score.tokens,
        pack=scan.pack,
        scorer=score.scorer,
    )


_PLAIN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}\Z")


def left_aside(body: Mapping[str, Json], honoured: frozenset[str]) -> tuple[str, ...]:
    """Names of the fields that the answer takes no notice of. A name is the client's text: an odd one is not told."""
    if body.keys() <= honoured:
        return ()
    return tuple(sorted({name if _PLAIN_NAME.match(name) else "?" for name in body.keys() - honoured}))


_REFUSALS: dict[str, type[GatewayError]] = {
    "unsupported_content": UnsupportedContent,
    "unsupported_parameter": Unsupported,
    "context_length_exceeded": ContextTooLong,
    "local_model_unfit": LocalModelUnfit,
    "model_not_permitted": NotPermitted,
}


def refusal(decision: Decision) -> GatewayError:
    """The error a refused decision is answered with."""
    error = _REFUSALS[decision.refusal or ""]
    if error is Unsupported:
        return Unsupported(decision.refusal_detail, param=decision.refusal_detail.split(maxsplit=1)[0])
    return error(decision.refusal_detail)


def _ms(began: float) -> float:
    return (time.perf_counter() - began) * 1000

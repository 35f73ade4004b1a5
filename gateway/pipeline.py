"""The line: one request from assessment to outcome. It makes every call; no step calls another.

    assess (detect, score) → decide → record `decided` → cache? → draft? → door → record `attempt` → backend → `outcome`

Where a draft is worth it, the local model begins an answer that nobody sees, and what its first tokens show is decided
and recorded anew. From there on the second decision is the only one: a draft moves nothing that the policy would not.
Whoever had to wait and finds another policy in force at the door is decided anew as well.

`handle` is one `async with` around the whole life of a request, so that a client that leaves early still gets its
outcome recorded. Everything it needs is handed in; of ours it imports `core`, and `draft` that does so too.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import anyio

from gateway.core.assess import assess, looked_again, told
from gateway.core.beginning import drafted
from gateway.core.errors import (
    BackendBroke,
    BackendError,
    DeadlineExceeded,
    EgressDenied,
    GatewayError,
    LocalUnavailable,
    Refused,
)
from gateway.core.ignored import ignored
from gateway.core.in_force import PolicyReplaced, outdated, still_in_force
from gateway.core.parts import Asked, Parts, Reply, nobody
from gateway.core.ports import Answer, Policy, Turn
from gateway.core.read_along import read_along
from gateway.core.recording import Recording, unrecorded
from gateway.core.refusal import refusal
from gateway.core.release import check, release
from gateway.core.trace import Trace, ms_since
from gateway.core.types import Allowed, Assessment, BackendSpec, Chunk, Decision, Json, Outgoing, Pieces, Request, Zone
from gateway.core.waiting import Seats, patiently
from gateway.core.ways import changed, moves_on
from gateway.draft import Draft, prepared

MAX_CACHED_CHUNKS = 20_000


class Pipeline:
    """Takes requests down the line."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._recording = Recording(parts, self._spec)
        self._seats = Seats(anyio.sleep)

    @asynccontextmanager
    async def handle(
        self, request: Request, decided: Callable[[Decision], None] | None = None
    ) -> AsyncGenerator[Reply, None]:
        """Answer `request`; the reply is good inside the `async with`. Raises GatewayError before the first piece.

        `decided` is told the decision before any backend is asked, for edges that answer slowly.
        """
        trace = Trace(request)
        try:
            seen: dict[Any, Any] = {}
            assessment = await self._assess(request, seen, trace)
            policy = self._parts.policies.current()
            decision = self._decide(policy, request, assessment, trace)
            asked = Asked(request, assessment, policy, decision, seen, decided or nobody)
            await self._recording.decided(asked, trace)
            if (draft := prepared(self._parts, asked)) is None:
                _certain(asked)  # otherwise it is once the draft has been seen
            async with AsyncExitStack() as stack:
                reply = await self._answer(asked, draft, trace, stack)
                yield await read_along(self._parts.shadow, asked, reply, stack)
            if trace.complete:
                trace.outcome = "cached" if trace.cache == "hit" else "ok"
        except Refused as error:
            trace.ended("refused", error)
            raise
        except Exception as error:
            trace.ended("error", error)
            raise
        finally:
            with anyio.CancelScope(shield=True):  # a client that left still gets its line in the log
                told(self._parts.traffic, trace, trace.zone)
                await self._recording.ended(request, trace)

    # -- assess and decide ---------------------------------------------------------------------------------------

    async def _assess(self, request: Request, seen: dict[Any, Any], trace: Trace) -> Assessment:
        parts = self._parts
        assessment = await assess(
            parts.detector, parts.scorer, request, seen, trace, taints=parts.taints, traffic=parts.traffic
        )
        trace.assessment = assessment
        return assessment

    def _decide(self, policy: Policy, request: Request, assessment: Assessment, trace: Trace) -> Decision:
        began = time.perf_counter()
        decision = policy.decide(request, assessment)
        trace.decision = decision
        trace.decide_ms += ms_since(began)
        told(self._parts.traffic, trace, decision.zone)
        return decision

    async def _decide_anew(self, asked: Asked, trace: Trace, also: Mapping[str, Json] | None = None) -> Asked:
        """By the policy that is in force now: it may have been replaced since the first decision."""
        parts, policy, assessment = self._parts, self._parts.policies.current(), asked.assessment
        if policy.digest != asked.policy.digest:
            also = {**(also or {}), "instead_of": asked.policy.digest}
            assessment = await looked_again(parts.detector, asked.request, assessment, asked.seen, parts.taints)
        decision = self._decide(policy, asked.request, assessment, trace)
        asked = replace(asked, policy=policy, assessment=assessment, decision=decision)
        trace.recorded = False  # what was attempted before proves nothing about this decision
        await self._recording.decided(asked, trace, also)
        return asked

    # -- draft ---------------------------------------------------------------------------------------------------

    async def _decide_again(self, asked: Asked, draft: Draft, trace: Trace, stack: AsyncExitStack) -> Asked:
        """Let the draft begin, and decide on what it shows. What cannot be judged leaves the first decision as it was.

        Who was going out anyway does not queue for the local model longer than the hold itself may take.
        """
        stays, cascade = asked.decision.zone is Zone.LOCAL, self._parts.cascade
        assert cascade is not None
        stack.push_async_callback(draft.aclose)
        await draft.hold(None if stays else cascade.most_s)
        trace.draft, trace.draft_ms = "given", draft.ms
        assessment = drafted(cascade, self._parts.traffic, asked, draft.beginning)
        if assessment is not None:
            asked = await self._decide_anew(replace(asked, assessment=assessment), trace, {"draft": draft.facts})
        if asked.decision.zone is not Zone.LOCAL or asked.decision.adapter != draft.home.adapter:
            await draft.leave(trace)
            self._failed(draft.home.backend, draft.error)
        return _certain(asked)

    # -- answer --------------------------------------------------------------------------------------------------

    async def _answer(self, asked: Asked, draft: Draft | None, trace: Trace, stack: AsyncExitStack) -> Reply:
        request, decision = asked.request, asked.decision
        key = self._key(request, decision)
        turn: Turn | None = None
        if key is not None:
            chunks, turn = await self._look_up(key, request, stack)
            if turn is not None and turn.waited and outdated(self._parts.policies, asked):
                return await self._answer_anew(asked, draft, turn, trace, stack)
            if chunks is not None:
                if draft is not None and draft.begun:
                    await draft.leave(trace)
                return await self._replay(asked, chunks, trace, stack)
            trace.cache = "miss"
        if draft is not None and not draft.begun:
            asked = await self._decide_again(asked, draft, trace, stack)
            if self._key(request, asked.decision) != key:
                if turn is not None:
                    turn.done()  # what comes now is stored elsewhere: nobody need wait for it here
                return await self._answer(asked, draft, trace, stack)
            decision = asked.decision
        begin = partial(self._begin, asked, draft, trace, stack)
        sleep = partial(self._seats.sleep, request.principal.tenant)
        try:
            way, spec, dropped, first, rest = await patiently(decision.wait_s, trace, begin, sleep)
        except PolicyReplaced:
            return await self._answer_anew(asked, draft, turn, trace, stack)
        kept: list[Chunk] | None = [] if key is not None and way.backend == decision.backend else None
        pieces = self._relay(first, rest, kept, trace, self._watched(asked, stack))
        await stack.enter_async_context(aclosing(pieces))
        if key is not None and kept is not None:
            # With the client's values put back into it, an answer from outside is as private as one made here.
            local = way.zone is Zone.LOCAL or trace.replaced > 0
            stack.push_async_callback(self._remember, key, request.principal.tenant, kept, local, trace, turn)
        elif turn is not None:
            turn.done()  # another backend's answer is never stored: nobody need wait for it
        if way.backend != decision.backend:
            tried = ", ".join(f"{backend}: {result}" for backend, result in trace.tried[:-1])
            decision = replace(decision, notice=f"{way.backend} answered instead of {decision.backend} ({tried})")
        return Reply(decision, way, spec, trace.cache, dropped, pieces, trace.replaced)

    async def _answer_anew(
        self, asked: Asked, draft: Draft | None, turn: Turn | None, trace: Trace, stack: AsyncExitStack
    ) -> Reply:
        """The policy was replaced while the request waited: from here on the one in force decides."""
        if turn is not None:
            turn.done()  # nobody need wait for it here
        showed = {"draft": draft.facts} if draft is not None and asked.assessment.drafted else None
        asked = _certain(await self._decide_anew(asked, trace, showed))
        return await self._answer(asked, draft, trace, stack)

    def _watched(self, asked: Asked, stack: AsyncExitStack) -> Answer | None:
        """Who remembers what the answer was made from, also where the client leaves in the middle of it."""
        taints = self._parts.taints
        answer = taints.watch(asked.request, asked.assessment, asked.decision) if taints else None
        if answer is not None:
            stack.push_async_callback(_kept, answer)
        return answer

    async def _begin(
        self, asked: Asked, draft: Draft | None, trace: Trace, stack: AsyncExitStack
    ) -> tuple[Allowed, BackendSpec, tuple[str, ...], Pieces, AsyncGenerator[Pieces, None]]:
        """Ask the decision's backends in order until one gives its first pieces.

        Three cases move on to the next way inside the decision's scope: the backend failed before its first piece,
        the door found something in what would leave, or the wire cannot send a parameter. A backend that rejected the
        request ends the search: the next one would be asked the same wrong thing.
        """
        request, decision = asked.request, asked.decision
        problem: GatewayError | None = None
        for way in decision.allowed:
            try:
                if way.zone is Zone.LOCAL:
                    if decision.zone is not Zone.LOCAL and not trace.recorded and not unrecorded(asked):
                        await self._recording.kept(request, way, "fallback", trace)
                    spec, dropped, stream = self._local(asked, draft)
                else:
                    spec, dropped, stream = await self._remote(way, asked, trace)
                trace.way = way
                await stack.enter_async_context(aclosing(stream))
                if (first := await anext(stream, None)) is not None:
                    trace.tried.append((way.backend, "answered"))
                    return way, spec, dropped, first, stream
                raise BackendBroke(f"backend {way.backend!r} gave no answer")
            except GatewayError as error:
                trace.failed(way.backend, error)
                self._failed(way.backend, error)
                if not moves_on(error, asked):
                    raise
                trace.restore, trace.replaced = None, 0  # of this way alone: the next one may change nothing
                problem = problem or error
        raise problem or LocalUnavailable("no backend is configured that may answer this request")

    def _failed(self, backend: str, error: Exception | None) -> None:
        if isinstance(error, BackendError | LocalUnavailable | DeadlineExceeded):
            self._parts.observer.backend_failed(backend, error)

    def _local(
        self, asked: Asked, draft: Draft | None
    ) -> tuple[BackendSpec, tuple[str, ...], AsyncGenerator[Pieces, None]]:
        local = self._parts.local
        if local is None:
            raise LocalUnavailable(
                "this request must stay local and the local engine is off: set local.engine to llama"
            )
        goes_on = draft if draft is not None and not draft.closed else None
        answer = goes_on.stream() if goes_on else local.stream(asked.request, asked.decision)
        return local.spec, ignored(asked.request.body, local.honours), self._guarded(answer, asked)

    def _guarded(self, stream: AsyncGenerator[Pieces, None], asked: Asked) -> AsyncGenerator[Pieces, None]:
        """The answer without what the policy takes out of answers. The client's own values are put back after that."""
        at_least = asked.decision.scan_answer
        if at_least is None or self._parts.guard is None:
            return stream
        return self._parts.guard(stream, at_least, asked.policy.level_of)

    async def _remote(
        self, way: Allowed, asked: Asked, trace: Trace
    ) -> tuple[BackendSpec, tuple[str, ...], AsyncGenerator[Pieces, None]]:
        """Through the door: what would leave is scanned again, the attempt recorded, and only then released."""
        request, decision = asked.request, asked.decision
        backend = self._parts.remotes[way.backend]
        spec = backend.spec
        altered = await changed(self._parts.transforms, way, asked)
        if altered is None:
            outgoing = backend.prepare(request)
        else:
            made = backend.prepare(altered.request)
            outgoing = Outgoing(made.backend, made.payload, made.dropped, way.transform, altered.replaced)
        try:
            scan = await self._parts.detector.scan(outgoing.payload, asked.seen)
        except Exception as error:
            raise EgressDenied("what would leave could not be scanned, so it stays") from error
        still_in_force(self._parts.policies, asked)
        check(request, decision, backend=spec, outgoing=outgoing, scan=scan)
        receipt = await self._recording.attempt(request, way, spec, outgoing, scan, trace)
        released = release(request, decision, backend=spec, outgoing=outgoing, scan=scan, receipt=receipt)
        trace.attempts += spec.wire != "canned"  # a stand-in sends nothing
        answer = self._guarded(backend.stream(released), asked)
        if altered is not None:
            trace.restore, trace.replaced = altered.restore, altered.replaced
            answer = altered.restore(answer)
        return spec, outgoing.dropped, answer

    async def _relay(
        self,
        first: Pieces,
        rest: AsyncGenerator[Pieces, None],
        kept: list[Chunk] | None,
        trace: Trace,
        answer: Answer | None,
    ) -> AsyncGenerator[Pieces, None]:
        """Pass pieces on, keeping count; add usage at the end where the backend sent none.

        What was private in an answer is remembered before the client knows that it ends: the next request may be on
        its way a moment later.
        """
        pieces: Pieces | None = first
        while pieces is not None:
            trace.note(pieces)
            if answer is not None:
                answer.note(pieces)
                if any(chunk.finish for chunk in pieces):
                    await answer.keep()
            if kept is not None and len(kept) < MAX_CACHED_CHUNKS:
                kept.extend(pieces)
            yield pieces
            try:
                pieces = await anext(rest, None)
            except (BackendError, DeadlineExceeded) as error:
                backend, _ = trace.tried[-1]
                trace.tried[-1] = (backend, error.code or type(error).__name__)
                self._parts.observer.backend_failed(backend, error)
                raise
        if trace.usage is None:
            trace.usage = trace.estimate()
            if kept is not None:
                kept.append(Chunk(usage=trace.usage))
            yield (Chunk(usage=trace.usage),)
        trace.complete = True

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

    async def _replay(self, asked: Asked, chunks: Sequence[Chunk], trace: Trace, stack: AsyncExitStack) -> Reply:
        request, decision = asked.request, asked.decision
        spec = self._spec(decision.backend)
        way = decision.allows(decision.backend)
        assert spec is not None
        assert way is not None
        trace.cache, trace.way = "hit", way
        if way.zone is not Zone.LOCAL:
            await self._recording.kept(request, way, "cache", trace)

        answer = self._watched(asked, stack)

        async def all_at_once() -> AsyncGenerator[Pieces, None]:
            trace.note(chunks)
            if answer is not None:
                answer.note(chunks)
                await answer.keep()
            yield chunks
            trace.complete = True

        pieces = await stack.enter_async_context(aclosing(all_at_once()))
        return Reply(decision, way, spec, "hit", (), pieces)

    async def _remember(
        self, key: str, tenant: str, kept: list[Chunk], local: bool, trace: Trace, turn: Turn | None
    ) -> None:
        if not trace.complete or self._parts.cache is None:
            return
        if len(kept) < MAX_CACHED_CHUNKS:
            await self._parts.cache.put(key, tenant, kept, local=local)
        if turn is not None:
            turn.done()


def _certain(asked: Asked) -> Asked:
    """Told to the edge, and raised where it is a refusal."""
    asked.tell(asked.decision)
    if asked.decision.refusal is not None:
        raise refusal(asked.decision)
    return asked


async def _kept(answer: Answer) -> None:
    with anyio.CancelScope(shield=True):  # a client that left has read what was sent
        await answer.keep()

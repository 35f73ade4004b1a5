"""The line in this process: the real pipeline, policy, cache and door, around backends that do what a test says."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from gateway.audit.memory import MemoryAudit
from gateway.cache import SingleFlight, answer_key
from gateway.cache.memory import MemoryCache
from gateway.core.parts import Parts, Reply
from gateway.core.ports import Cache, Detector, LocalBackend, Scorer, Transform
from gateway.core.records import Outcome
from gateway.core.release import Released
from gateway.core.types import (
    BackendSpec,
    Chunk,
    Decision,
    Finding,
    Outgoing,
    Pieces,
    Place,
    Principal,
    Request,
    Scan,
    Score,
    Usage,
    Zone,
)
from gateway.pipeline import Pipeline
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.load import load_policy
from gateway.preview import Preview
from gateway.wiring.records import facts

IBAN = "DE89 3704 0044 0532 0130 00"
HARD = "Prove that there are infinitely many primes."

POLICY = """
name: test
permit:
  - {name: hard, zone: remote, when: {sensitivity: {at_most: internal}, complexity: {at_least: 0.55}}}
  - {name: named, zone: remote, when: {sensitivity: {at_most: internal}, named: true}}
"""


class WordDetector:
    """Finds the IBAN above wherever it stands, in keys too. `breaks` are the calls, from 1, at which it raises."""

    pack = "words"

    def __init__(self, *, breaks: frozenset[int] = frozenset()) -> None:
        self.calls = 0
        self._breaks = breaks

    async def scan(self, document: Mapping[str, Any], seen: dict[Any, Any] | None = None) -> Scan:
        self.calls += 1
        if self.calls in self._breaks:
            raise RuntimeError("the detector broke")
        count = repr(document).count(IBAN)
        place = Place("$.messages[0].content", 0, len(IBAN))
        return Scan(tuple(Finding("words", "iban", "financial", 1.0, place, 1) for _ in range(count)), (), self.pack)


class FixedScorer:
    def __init__(self, gain: float | None = 0.9, *, breaks: bool = False) -> None:
        self._gain = gain
        self._breaks = breaks

    async def score(self, request: Request) -> Score:
        if self._breaks:
            raise RuntimeError("the scorer broke")
        return Score(gain=self._gain, confidence=1.0, language="en", language_confidence=1.0, tokens=12, scorer="fixed")


Step = Pieces | Exception
"""What a backend does next: gives pieces, or fails."""

ANSWER: tuple[Step, ...] = (
    [Chunk(0, {"content": "Hel"}, model="m")],
    [Chunk(0, {"content": "lo."}, model="m")],
    [Chunk(0, {}, "stop", model="m"), Chunk(usage=Usage(7, 2), model="m")],
)


class _Scripted:
    """Plays one script per call, the last one for ever. `calls` and `closed` are counted."""

    def __init__(self, *scripts: Sequence[Step], pause: anyio.Event | None = None) -> None:
        self.calls = 0
        self.closed = 0
        self._scripts = scripts or (ANSWER,)
        self._pause = pause
        """Waited for before the second step of the first call."""

    async def _play(self) -> AsyncGenerator[Pieces, None]:
        script = self._scripts[min(self.calls, len(self._scripts) - 1)]
        self.calls += 1
        pause = self._pause if self.calls == 1 else None
        try:
            for number, step in enumerate(script):
                if number == 1 and pause is not None:
                    await pause.wait()
                await anyio.lowlevel.checkpoint()
                if isinstance(step, Exception):
                    raise step
                yield step
        finally:
            self.closed += 1


class ScriptedLocal(_Scripted):
    honours = frozenset({"model", "messages", "stream", "stream_options", "max_tokens"})

    def __init__(self, *scripts: Sequence[Step], pause: anyio.Event | None = None) -> None:
        super().__init__(*scripts, pause=pause)
        self.spec = BackendSpec("local", Zone.LOCAL, "openai", "small", images=False, languages=frozenset({"en"}))

    def stream(self, request: Request, decision: Decision) -> AsyncGenerator[Pieces, None]:
        return self._play()


class ScriptedRemote(_Scripted):
    """`adds` is text that its wire puts into what it sends, as a careless adapter would."""

    def __init__(
        self,
        name: str = "large",
        *scripts: Sequence[Step],
        zone: Zone = Zone.REMOTE,
        pause: anyio.Event | None = None,
        adds: str = "",
    ) -> None:
        super().__init__(*scripts, pause=pause)
        self.spec = BackendSpec(name, zone, "openai", f"{name}-model", host=f"{name}.example", digest=f"digest-{name}")
        self.sent: list[Released] = []
        self._adds = adds

    def prepare(self, request: Request) -> Outgoing:
        added = [{"role": "system", "content": self._adds}] if self._adds else []
        payload = {"model": self.spec.model, "messages": [*request.messages, *added]}
        dropped = tuple(sorted(request.body.keys() - {"model", "messages", "stream"}))
        return Outgoing(self.spec.name, payload, dropped)

    async def stream(self, released: Released) -> AsyncGenerator[Pieces, None]:
        self.sent.append(released)
        async with aclosing(self._play()) as play:
            async for pieces in play:
                yield pieces


class OnePolicy:
    def __init__(self, policy: CompiledPolicy) -> None:
        self._policy = policy

    def current(self) -> CompiledPolicy:
        return self._policy


@dataclass
class Watcher:
    """An Observer that remembers."""

    outcomes: list[Outcome] = field(default_factory=list)
    failures: list[tuple[str, str]] = field(default_factory=list)

    def finished(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def backend_failed(self, backend: str, error: Exception) -> None:
        self.failures.append((backend, type(error).__name__))


@dataclass
class Line:
    """A pipeline and everything that a test may look at afterwards."""

    parts: Parts
    pipeline: Pipeline
    preview: Preview
    audit: MemoryAudit
    watcher: Watcher
    local: LocalBackend | None
    remotes: dict[str, ScriptedRemote]

    async def ask(self, request: Request) -> tuple[Reply, list[Chunk]]:
        async with self.pipeline.handle(request) as reply:
            return reply, [chunk async for pieces in reply.pieces for chunk in pieces]

    @property
    def outcome(self) -> Outcome:
        return self.watcher.outcomes[-1]


class Lines:
    """Makes lines whose policy files lie in one folder. `more` are further fields of `Parts`, for all of them."""

    def __init__(self, folder: Path, **more: Any) -> None:
        self._folder = folder
        self._more = more

    def __call__(
        self,
        *remotes: ScriptedRemote,
        local: LocalBackend | None = None,
        off: bool = False,
        policy: str = POLICY,
        detector: Detector | None = None,
        scorer: Scorer | None = None,
        audit: MemoryAudit | None = None,
        cache: Cache | None = None,
        cached: bool = True,
        transforms: Mapping[str, Transform] | None = None,
    ) -> Line:
        here = None if off else local or ScriptedLocal()
        outside = {remote.spec.name: remote for remote in remotes or (ScriptedRemote(),)}
        file = self._folder / "policy.yaml"
        file.write_text(policy)
        home = here.spec if here else BackendSpec("local", Zone.LOCAL, "off", "local")
        log, watcher = audit or MemoryAudit(), Watcher()
        parts = Parts(
            detector=detector or WordDetector(),
            scorer=scorer or FixedScorer(),
            policies=OnePolicy(load_policy(file, [home, *(remote.spec for remote in outside.values())])),
            local=here,
            remotes=outside,
            audit=log,
            observer=watcher,
            cache=(cache or MemoryCache()) if cached else None,
            flight=SingleFlight(),
            cache_key=partial(answer_key, b"0123456789abcdef"),
            facts=facts,
            transforms=transforms or {},
            **self._more,
        )
        return Line(parts, Pipeline(parts), Preview(parts), log, watcher, here, outside)


Asking = Callable[..., Request]


def asking(text: str = HARD, *, id: str = "r1", model: str = "auto", tenant: str = "default", **more: Any) -> Request:  # noqa: A002
    """A request as the edge would hand it over; fields of `Request` by name, the rest goes into the body."""
    known = {name: more.pop(name) for name in ("at_least", "local_only", "use_cache", "stream") if name in more}
    body = {"model": model, "messages": [{"role": "user", "content": text}], **more}
    return Request(id, Principal(tenant=tenant), model, body, asked_model=model, received_at=1.0, **known)


def text_of(chunks: Sequence[Chunk]) -> str:
    return "".join(chunk.delta.get("content", "") for chunk in chunks)

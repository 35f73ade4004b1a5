"""What the line works with: the parts that wiring hands it, what it knows of a request, and the reply it gives."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from gateway.core.ports import (
    AnswerGuard,
    AuditSink,
    Cache,
    Cascade,
    Detector,
    Flight,
    LocalBackend,
    Observer,
    Policy,
    PolicySource,
    Prices,
    RemoteBackend,
    Scorer,
    Taints,
    Traffic,
    Transform,
)
from gateway.core.types import Allowed, Assessment, BackendSpec, Decision, Json, Pieces, Request


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
    transforms: Mapping[str, Transform] = field(default_factory=dict)
    """By name: what permits may demand of text on its way out."""
    taints: Taints | None = None
    guard: AnswerGuard | None = None
    traffic: Traffic | None = None
    cascade: Cascade | None = None
    prices: Prices | None = None
    shadow: Shadow | None = None


@dataclass(slots=True)
class Reply:
    """An answer that has begun: its first pieces are there, so the status can be sent."""

    decision: Decision
    way: Allowed
    backend: BackendSpec
    cache: str
    dropped: tuple[str, ...]
    pieces: AsyncGenerator[Pieces, None]
    replaced: int = 0
    """How many values a transform replaced in what left."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request with all that is known about it once it is decided."""

    request: Request
    assessment: Assessment
    policy: Policy
    decision: Decision
    seen: dict[Any, Any] = field(repr=False)
    """The detector's memory for this one request."""
    tell: Callable[[Decision], None] = field(repr=False, compare=False)
    """Told the decision that stands, before any backend's answer is given."""


def nobody(decision: Decision) -> None:
    """Whom `Asked.tell` tells where nobody waits to be told."""


class Shadow(Protocol):
    """May ask a remote model what was answered here, once the client has its answer, to measure the local one."""

    def watch(self, asked: Asked, reply: Reply) -> AsyncGenerator[Pieces, None] | None:
        """The reply's pieces, noted as they pass; None where this answer is not measured. Never raises, never waits."""
        ...

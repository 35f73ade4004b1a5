"""What is noted about one request on its way down the line, for its outcome: numbers and names, never text."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from gateway.core.confidence import Folding
from gateway.core.errors import BackendError, GatewayError
from gateway.core.ports import Restore
from gateway.core.records import Outcome
from gateway.core.types import Allowed, Assessment, Decision, Pieces, Request, Usage, Zone

CHARACTERS_PER_TOKEN = 4


@dataclass(slots=True)
class Trace:
    """Begins as if the client had left: whoever answers or fails says so."""

    request: Request
    began: float = field(default_factory=time.perf_counter)
    outcome: str = "client_closed"
    error: str | None = None
    decision: Decision | None = None
    way: Allowed | None = None
    assessment: Assessment | None = None
    cache: str = "off"
    attempts: int = 0
    recorded: bool = False
    """An attempt is durable, and so is the decision before it."""
    tried: list[tuple[str, str]] = field(default_factory=list)
    """(backend, how it went) of every backend that was asked: 'answered', or the error's code."""
    away: list[tuple[bool, float | None]] = field(default_factory=list)
    """Of each upstream that failed since the last pause: whether it may be asked again, and in how many seconds."""
    replaced: int = 0
    """Values that a transform replaced in what left."""
    restore: Restore | None = None
    """The way back of the transform that the answer needs; None = it left as it came, or not at all."""
    characters: int = 0
    usage: Usage | None = None
    confidence: Folding | None = None
    """None until a token comes with figures: only those of the local engine do."""
    draft_tokens: int = 0
    """Of a local draft that was thrown away."""
    draft_ms: float = 0.0
    draft: str = ""
    """`given` or `left`; see `Outcome`."""
    complete: bool = False
    cost_usd: float | None = None
    all_remote_usd: float | None = None
    detect_ms: float = 0.0
    score_ms: float = 0.0
    decide_ms: float = 0.0
    audit_ms: float = 0.0
    first_ms: float | None = None

    def failed(self, backend: str, error: GatewayError) -> None:
        """A way was tried in vain."""
        self.tried.append((backend, error.code or type(error).__name__))
        if isinstance(error, BackendError):
            self.away.append((error.turned_away, error.retry_after_s))

    def note(self, pieces: Pieces) -> None:
        if self.first_ms is None:
            self.first_ms = ms_since(self.began)
        for chunk in pieces:
            if content := chunk.delta.get("content"):
                self.characters += len(content)
            if chunk.confidence:
                if self.confidence is None:
                    self.confidence = Folding()
                self.confidence.add(chunk.confidence)
            if chunk.usage is not None:
                self.usage = chunk.usage

    def estimate(self) -> Usage:
        """Usage where the upstream sent none: the scorer's prompt estimate, and four characters a token."""
        prompt = self.assessment.tokens if self.assessment else 0
        return Usage(prompt, (self.characters + CHARACTERS_PER_TOKEN - 1) // CHARACTERS_PER_TOKEN)

    @property
    def zone(self) -> Zone:
        """Where the answer was made, or tried last. An answer out of the cache went nowhere, and so did a refusal."""
        return self.way.zone if self.way and self.cache != "hit" else Zone.LOCAL

    @property
    def answered(self) -> bool:
        """An answer was made for it and has begun. What the cache gives again was made for another one."""
        return self.first_ms is not None and self.cache != "hit"

    def ended(self, outcome: str, error: Exception | None = None) -> None:
        self.outcome, self.error = outcome, None if error is None else type(error).__name__

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
            tried=tuple(self.tried),
            prompt_tokens=usage.prompt_tokens if usage else 0,
            completion_tokens=usage.completion_tokens if usage else 0,
            context_dropped=usage.context_dropped if usage else 0,
            transform=way.transform if way else None,
            replaced=self.replaced,
            unrestored=self.restore.unrestored if self.restore else 0,
            confidence=self.confidence.result() if self.confidence else None,
            gain=self.assessment.gain if self.assessment else None,
            family=self.assessment.family if self.assessment else "",
            draft_tokens=self.draft_tokens,
            draft_ms=self.draft_ms,
            draft=self.draft,
            cost_usd=self.cost_usd,
            all_remote_usd=self.all_remote_usd,
            detect_ms=self.detect_ms,
            score_ms=self.score_ms,
            decide_ms=self.decide_ms,
            audit_ms=self.audit_ms,
            first_ms=self.first_ms,
            total_ms=ms_since(self.began),
        )


def ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000

"""What is written down about a request: audit records, their receipts, and the outcome. Facts, never text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gateway.core.confidence import Confidence
from gateway.core.types import Json


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that an audit record is durable. Made by an `AuditSink` after fsync."""

    sequence: int
    """Position in the log, from 1; 0 = not durable yet, which proves nothing."""
    request_id: str
    event: str


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One line of evidence before the sink adds sequence, time and chain. `facts` holds no text of the request."""

    event: str
    """decided, attempt, outcome, started, stopped, policy, backend …"""
    request_id: str
    tenant: str
    subject: str
    facts: Mapping[str, Json]
    canonical: bytes | None = field(default=None, repr=False)
    """The canonical request, for the sink to record as a keyed HMAC; never stored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one request ended: the numbers behind its log event, its metrics and its `outcome` record."""

    request_id: str
    tenant: str
    stream: bool
    outcome: str
    """ok, cached, refused, error, client_closed."""
    error: str | None = None
    """Class name of the error, never its text."""
    zone: str = ""
    backend: str = ""
    rule: str = ""
    policy: str = ""
    level: str = ""
    cache: str = "off"
    """hit, miss, off."""
    kinds: tuple[str, ...] = ()
    """Distinct kinds of finding, sorted."""
    attempts: int = 0
    """How often something was released to leave this host."""
    tried: tuple[tuple[str, str], ...] = ()
    """(backend, how it went) of every backend asked: 'answered', or the code of its error."""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    context_dropped: int = 0
    """Tokens that the local engine forgot to make room for the others."""
    transform: str | None = None
    """What the text went through before it left."""
    replaced: int = 0
    """Values that it replaced."""
    unrestored: int = 0
    """Placeholders that came back changed beyond recognition, so that the client saw them."""
    confidence: Confidence | None = None
    """How sure the local model was; None where it did not work: answered elsewhere or out of the cache."""
    gain: float | None = None
    """As scored before any draft."""
    family: str = ""
    draft_tokens: int = 0
    """Tokens of a local draft that was thrown away because the request went out after all."""
    draft_ms: float = 0.0
    """How long a local draft was held back, whatever became of it; 0 = there was none."""
    draft: str = ""
    """What became of it: `given` to the client, or `left`; empty = there was none."""
    cost_usd: float | None = None
    """None where the price is not known."""
    all_remote_usd: float | None = None
    """What it would have cost had everything gone out."""
    detect_ms: float = 0.0
    score_ms: float = 0.0
    decide_ms: float = 0.0
    audit_ms: float = 0.0
    first_ms: float | None = None
    """Milliseconds from receipt to the first chunk."""
    total_ms: float = 0.0

"""What scorers say about one request, and where that puts it among what its tenant asked lately. Numbers, no text."""

from __future__ import annotations

from dataclasses import dataclass

FAMILIES = (
    "chat", "knowledge", "reasoning", "maths", "code", "writing", "rewrite", "translate", "summarise", "extract",
    "format", "other",
)  # fmt: skip
"""Task families: thresholds, the floor of competence and the realised share are kept apart for each."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What a backend must be able to do to serve the request: facts about its shape, not wishes about quality."""

    image: bool = False
    audio: bool = False
    file: bool = False
    tools: bool = False
    schema: bool = False
    """`response_format` json_object or json_schema."""
    logprobs: bool = False
    context: int = 0
    """Prompt tokens plus the answer's limit, estimated where no tokenizer is at hand."""


@dataclass(frozen=True, slots=True)
class Score:
    """What the scorer says: whether going out would help, and what the request needs."""

    gain: float | None
    """(P(remote right) − P(local right) + 1) / 2; 0.5 = no difference; None = could not be scored."""
    confidence: float = 0.0
    language: str | None = None
    """ISO 639-1 code, or None when the text is too short to tell."""
    language_confidence: float = 0.0
    needs: Needs = Needs()
    tokens: int = 0
    """Estimated prompt tokens."""
    scorer: str = ""
    """Name and digest of the formula, the weights and the calibration."""
    local: float | None = None
    """P(local right), 0 … 1."""
    remote: float | None = None
    """P(remote right), 0 … 1."""
    family: str = "other"
    """One of FAMILIES."""
    competence: float | None = None
    """Share of its family and language that the local model answered well when it was calibrated; None = unmeasured."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a request stands in its tenant's recent traffic of its task family. None = nobody knows yet."""

    rank: float | None = None
    """Share of recent requests whose gain was lower: 0 … 1."""
    quality: float | None = None
    """What quality, relative to all-remote, answering this one and all of lower rank locally would leave: 0 … 1+."""
    share: float | None = None
    """Share of the tenant's recent requests that went out: 0 … 1."""


NO_NEEDS = Needs()
NO_STANDING = Standing()

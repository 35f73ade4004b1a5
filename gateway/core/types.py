"""The values that pass along the line: Request → Finding → Assessment → Decision → Chunk → AuditRecord.

Everything here is immutable and carries facts, not text, except `Request.body` and `Chunk.delta`, which are kept
out of every repr so that a stray log line or traceback cannot show what a user wrote.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

from gateway.core.scoring import NO_NEEDS, NO_STANDING
from gateway.core.scoring import Needs as Needs
from gateway.core.scoring import Score as Score
from gateway.core.scoring import Standing as Standing

Json: TypeAlias = Any
"""A JSON value as parsed: None, bool, int, float, str, list or dict."""


class _Named(IntEnum):
    """An ordered, closed set whose members print and parse as lower-case words."""

    def __str__(self) -> str:
        return self._name_.lower()  # what `name` reads, without its descriptor: a request asks a dozen times

    @property
    def word(self) -> str:
        return self._name_.lower()


class Sensitivity(_Named):
    """How private a request is. UNKNOWN ranks highest: what could not be read is treated as private."""

    PUBLIC = 0
    INTERNAL = 1
    CONFIDENTIAL = 2
    RESTRICTED = 3
    UNKNOWN = 4


class Zone(_Named):
    """Where an answer may be made. Zones nest: whoever may use a zone may use every zone before it."""

    LOCAL = 0
    """This host's own engine."""
    PRIVATE = 1
    """An endpoint the operator declares as theirs."""
    REMOTE = 2
    """Everything else."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, as authentication established it; nothing in it comes from the request's body."""

    tenant: str = "default"
    subject: str = "anonymous"
    """The key's name, not the key."""
    roles: frozenset[str] = frozenset()
    tags: frozenset[str] = frozenset()
    public: bool = False
    """The operator declared this key's traffic public: one of the two ways to earn PUBLIC (promise P7)."""
    purpose: str | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """One chat completion as the client asked for it."""

    id: str
    principal: Principal
    model: str
    """What the client means after aliases: 'auto', 'local', or a backend's name."""
    body: Mapping[str, Json] = field(repr=False)
    """The client's JSON object with null values removed. Detectors read all of it; wires forward what they know."""
    stream: bool = False
    asked_model: str = ""
    """The model name exactly as the client wrote it, echoed in the answer."""
    at_least: Sensitivity | None = None
    """A client may raise the level (`x-gateway-sensitivity`), never lower it."""
    local_only: bool = False
    """The client asked for `model: local` (or the local model's id): a wish that is always granted."""
    adapter: str | None = None
    """The adapter of the local model that the client named (`model: local:legal`); such a request is `local_only`."""
    conversation: str | None = None
    """The client's own conversation id, when it sent one."""
    include_usage: bool = False
    """`stream_options.include_usage`: the client wants a last chunk with usage."""
    use_cache: bool = True
    """False when the client sent `cache-control: no-store` or `no-cache`."""
    received_at: float = 0.0
    """Seconds since the epoch, taken once, so that a rule on time can be replayed."""

    @property
    def messages(self) -> Sequence[Mapping[str, Json]]:
        messages: Sequence[Mapping[str, Json]] = self.body["messages"]
        return messages


@dataclass(frozen=True, slots=True)
class Place:
    """Where a finding stands: a JSON path and a half-open range in code points of the raw string."""

    path: str
    """JSON path from the body's root: `$.messages[0].content`. A key itself is `$.metadata~key[0]`."""
    start: int
    end: int
    view: str = "raw"
    """Which reading of the string showed it: raw, normal, unescaped, base64, hex, spaced, words, joined …"""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a detector recognised: what and where, never the text and never a level."""

    detector: str
    kind: str
    """The narrow word: iban, it_fiscal_code, private_key …"""
    category: str
    """The wide word, one of CATEGORIES."""
    confidence: float
    """0 … 1; 1 for a passed checksum."""
    place: Place
    value_id: int = 0
    """Equal values within one request share a number, so that distinct values can be counted without the text."""
    near: frozenset[str] = frozenset()
    """Context words' kinds found close by (for policies that ask for `near`)."""
    reserved: bool = False
    """A documentation example (test card, `example.com`, a published sample IBAN): a policy may let these pass."""


TAINT = "taint"
"""The detector whose findings are remembered of earlier requests: they stand nowhere in this one's text."""
DERIVED: Mapping[Sensitivity, str] = MappingProxyType(
    {Sensitivity.CONFIDENTIAL: "derived_confidential", Sensitivity.RESTRICTED: "derived_restricted"}
)
"""Kinds of its findings where no finding says why a request had its level: the client or a condition gave it."""

CATEGORIES = frozenset(
    {"secret", "identifier", "financial", "contact", "person", "health", "special", "minor", "legal",
     "confidential", "code", "credentialed_url"}
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A part of the request that no detector could read. It makes the request UNKNOWN."""

    path: str
    reason: str
    """image, audio, file, unknown_part, deadline, detector_failed, too_deep, too_large …"""


@dataclass(frozen=True, slots=True)
class Scan:
    """What the detectors say about one JSON document."""

    findings: tuple[Finding, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    pack: str = ""
    """Digest of the rules that looked, recorded with every decision."""
    generic: bool = False
    """A positive test says that this is a general question or code, about no person, customer or house (promise P7).
    It has an error, stated in docs/privacy.md; a policy chooses whether to believe it."""


@dataclass(frozen=True, slots=True)
class Assessment:
    """Every fact a policy may look at, and so every fact that `gateway why` needs to decide again."""

    findings: tuple[Finding, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    gain: float | None = None
    gain_confidence: float = 0.0
    rank: float | None = None
    """See `Standing`, like the two after it."""
    quality: float | None = None
    share: float | None = None
    language: str | None = None
    language_confidence: float = 0.0
    needs: Needs = NO_NEEDS
    tokens: int = 0
    pack: str = ""
    scorer: str = ""
    local: float | None = None
    """See `Score`, like the three after it."""
    remote: float | None = None
    family: str = "other"
    competence: float | None = None
    drafted: bool = False
    """The local model has begun an answer, and `gain` knows how sure it was."""
    generic: bool = False
    """See `Scan.generic`."""

    @classmethod
    def of(cls, scan: Scan, score: Score, standing: Standing = NO_STANDING) -> Assessment:
        return cls(
            findings=scan.findings,
            unreadable=scan.unreadable,
            gain=score.gain,
            gain_confidence=score.confidence,
            rank=standing.rank,
            quality=standing.quality,
            share=standing.share,
            language=score.language,
            language_confidence=score.language_confidence,
            needs=score.needs,
            tokens=score.tokens,
            pack=scan.pack,
            scorer=score.scorer,
            local=score.local,
            remote=score.remote,
            family=score.family,
            competence=score.competence,
            generic=scan.generic,
        )


@dataclass(frozen=True, slots=True)
class BackendSpec:
    """A backend as the operator defined it. Its digest stands in every `decided` record."""

    name: str
    zone: Zone
    wire: str
    """openai, litellm, llama or canned."""
    model: str
    host: str = ""
    region: str = ""
    retention: str = ""
    training: str = ""
    """The vendor's terms on using answers for training, as the operator stated them."""
    context: int = 0
    """Tokens it can hold; 0 = not stated, taken as enough."""
    images: bool = True
    audio: bool = False
    files: bool = False
    tools: bool = True
    schema: bool = True
    logprobs: bool = True
    languages: frozenset[str] = frozenset()
    """Languages it answers well; empty = all."""
    makeshift: frozenset[str] = frozenset()
    """Needs in the words of `can` that it lacks and meets all the same, badly: for what may not go elsewhere."""
    adapters: tuple[str, ...] = ()
    """Names of the LoRA adapters it can answer with (zone LOCAL)."""
    digest: str = ""

    def can(self, needs: Needs) -> str | None:
        """The first need it cannot meet, or None when it can serve the request."""
        for lack in self.lacks(needs):
            if lack not in self.makeshift:
                return lack
        return None

    def lacks(self, needs: Needs) -> tuple[str, ...]:
        """Every need that it cannot meet well."""
        lacks: list[str] = []
        if needs.image and not self.images:
            lacks.append("image")
        if needs.audio and not self.audio:
            lacks.append("audio")
        if needs.file and not self.files:
            lacks.append("file")
        if needs.tools and not self.tools:
            lacks.append("tools")
        if needs.schema and not self.schema:
            lacks.append("response_format")
        if needs.logprobs and not self.logprobs:
            lacks.append("logprobs")
        if self.context and needs.context > self.context:
            lacks.append("context")
        return tuple(lacks)

    def speaks(self, language: str | None) -> bool:
        return not self.languages or language is None or language in self.languages


@dataclass(frozen=True, slots=True)
class Allowed:
    """One way the request may be answered: a backend, under a transform, by a rule."""

    backend: str
    zone: Zone
    rule: str
    transform: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What the policy says about one request. Made by `policy.evaluate` alone."""

    level: Sensitivity
    zone: Zone
    backend: str
    rule: str
    """The permit that let it out, or 'default' when nothing did."""
    reasons: tuple[str, ...]
    """What permitted, what forbade, what raised the level; for `explain` and the audit log. No request text."""
    policy: str
    """The policy's name."""
    policy_digest: str
    allowed: tuple[Allowed, ...]
    """Every way out or in that the policy accepts, best first; fallbacks stay inside it."""
    considered: tuple[tuple[str, int], ...] = ()
    """(kind, count) of the findings weighed: the door refuses outgoing text that holds more than these."""
    transform: str | None = None
    cacheable: bool = True
    notice: str | None = None
    """Text for `x-gateway-notice` when the policy's floor answers all the same."""
    refusal: str | None = None
    """A code when nothing allowed can serve it: unsupported_content, local_model_unfit or model_not_permitted."""
    refusal_detail: str = ""
    adapter: str | None = None
    """The adapter that the local model answers with, should it be the one that answers; None = the bare model."""
    lifted: bool = False
    """The level is higher than the kinds of the findings alone make it: the client or a condition raised it."""
    scan_answer: Sensitivity | None = None
    """What the policy grades at this level or above is taken out of answers; None = answers are not looked at."""
    wait_s: float = 0.0
    """How long to wait for a server of zone private that is busy or down, before the request is turned away."""

    def allows(self, backend: str) -> Allowed | None:
        return next((way for way in self.allowed if way.backend == backend), None)


class Usage(NamedTuple):
    """Token counts in OpenAI's words."""

    prompt_tokens: int
    completion_tokens: int
    details: Mapping[str, Json] | None = None
    """`prompt_tokens_details`, `completion_tokens_details` as the upstream sent them; and `context` from an engine that
    shifted: `{"shifted": true, "dropped": N}`, which the edge tells apart from the usage."""

    @property
    def context_dropped(self) -> int:
        """Tokens of the conversation that the engine forgot to make room; 0 where it forgot none."""
        context = (self.details or {}).get("context")
        return int(context["dropped"]) if context else 0


class Chunk(NamedTuple):
    """A piece of one choice of the answer.

    A NamedTuple, not a dataclass: one is made for every streamed event, and this costs a third of the time.
    """

    choice: int = 0
    """OpenAI's `choices[].index`."""
    delta: Mapping[str, Json] = {}
    """An OpenAI delta: `content`, `tool_calls`, `refusal`, `reasoning_content`. No `role`: the edge adds it.

    No call twice in one `tool_calls`, and from the engine one call after the other: clients that put them together
    lose the second piece of a call in the first delta, and take a call for done when another one goes on.
    """
    finish: str | None = None
    """stop, length, tool_calls or content_filter; exactly one per choice."""
    logprobs: Mapping[str, Json] | None = None
    """OpenAI's `choices[].logprobs` object for the tokens in this piece."""
    usage: Usage | None = None
    """Only in a chunk after the last choice's finish."""
    model: str | None = None
    """The model that served, as the upstream names it."""
    confidence: Sequence[Sequence[float]] | None = None
    """Of each token in this piece, from the local engine alone: logprob of the chosen token, entropy in nats, and
    the margin between the two likeliest (a difference of logprobs). For the outcome's numbers, never for clients."""

    def __repr__(self) -> str:  # never the text
        return f"Chunk(choice={self.choice}, finish={self.finish!r}, usage={self.usage!r})"


Pieces: TypeAlias = Sequence[Chunk]
"""What a backend yields: all chunks of one network read or engine step, so that cost is per read, not per token."""


TRANSFORMS = ("pseudonymise", "strip", "rewrite")
"""What a permit may demand of text on its way out, the weakest first."""

VALUES = frozenset({"secret", "credentialed_url", "identifier", "financial", "contact", "person"})
"""Categories whose findings are values that stand for somebody or open something: what a transform has to replace.
The others say what a text is about; no placeholder changes that."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A request as a wire would send it: only fields on that wire's allow-list."""

    backend: str
    payload: Mapping[str, Json] = field(repr=False)
    dropped: tuple[str, ...] = ()
    """Names of fields the client sent and the wire does not know."""
    transform: str | None = None
    """The transform that the text went through before the wire wrote it down; one of TRANSFORMS."""
    replaced: int = 0
    """How many values that transform replaced."""

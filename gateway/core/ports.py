"""The plug points of the line. Each has a real implementation, a small in-memory one, and one contract suite."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.core.confidence import Confidence
from gateway.core.measuring import Measuring
from gateway.core.records import AuditRecord, Outcome, Receipt
from gateway.core.release import Released
from gateway.core.types import (
    Assessment,
    BackendSpec,
    Chunk,
    Decision,
    Json,
    Outgoing,
    Pieces,
    Request,
    Scan,
    Score,
    Sensitivity,
    Standing,
    Usage,
    Zone,
)


class Detector(Protocol):
    """Finds what is sensitive in a JSON document.

    It never raises: what it could not read, or not in time, comes back as `Scan.unreadable`. `seen` is a memory the
    caller keeps for one request: strings scanned once under the same pack are not scanned again at the door.
    """

    @property
    def pack(self) -> str:
        """Digest of the rules, hexadecimal."""
        ...

    async def scan(self, document: Mapping[str, Json], seen: dict[Any, Any] | None = None) -> Scan: ...


class Scorer(Protocol):
    """Says whether going out would help. Raises nothing: a failure is `Score(gain=None)`."""

    async def score(self, request: Request) -> Score: ...


class Traffic(Protocol):
    """Remembers the gains of a tenant's recent requests, per task family, and which of them went out."""

    def standing(self, request: Request, score: Score) -> Standing:
        """Where this request stands among them; it counts from then on, once. Never raises."""
        ...

    def look(self, request: Request, score: Score) -> Standing:
        """The same without counting it, for whoever asks what would be decided. Never raises."""
        ...

    def went(self, request: Request, assessment: Assessment, zone: Zone, *, answered: bool = False) -> None:
        """Where it goes, told when that is decided, and once more in the end. Never raises.

        `answered`: an answer was really made there. A refused request ends here too, and so does one out of the cache.
        """
        ...


class Cascade(Protocol):
    """Lets the local model begin an answer, and says from its first tokens whether the request should go out."""

    most_tokens: int
    """At most so many tokens are held back from the client, …"""
    most_s: float
    """… for so long, in seconds, counted from the first one."""

    def drafts(self, assessment: Assessment) -> bool:
        """Whether the score is so near the border that a draft is worth its time."""
        ...

    def gain(self, assessment: Assessment, sureness: Confidence | None, text: str, ended: bool) -> float | None:
        """The gain, now that the draft's first tokens are there; None = nothing can be said, and it stays."""
        ...


class Prices(Protocol):
    """What an answer costs, in US dollars. Local answers cost nothing here: electricity is not counted."""

    def cost(self, spec: BackendSpec, usage: Usage) -> float | None:
        """None where the price of the backend's model is not known."""
        ...

    def all_remote(self, usage: Usage) -> float | None:
        """What the same answer would have cost at the first remote backend whose price is known."""
        ...


class Policy(Protocol):
    """Decides. Pure and synchronous: the same request facts and assessment always give the same decision."""

    name: str
    digest: str
    without_record: str
    """`refuse` or `local`: whether an answer made here may go on when its record cannot be written."""

    @property
    def shadow(self) -> Measuring | None:
        """Which share of the public answers made here is measured; None = none is."""
        ...

    def decide(self, request: Request, assessment: Assessment) -> Decision: ...

    def level_of(self, kind: str, category: str) -> Sensitivity:
        """What one finding means under this policy."""
        ...


class PolicySource(Protocol):
    """Where the policy in force comes from; a swap is one assignment."""

    def current(self) -> Policy: ...


class LocalBackend(Protocol):
    """The engine on this host."""

    spec: BackendSpec
    honours: frozenset[str]
    """The top-level fields of a request that it reads. The client is told of the others; `stream` raises Unsupported
    where ignoring one would quietly change what was asked for."""

    def stream(self, request: Request, decision: Decision) -> AsyncGenerator[Pieces, None]:
        """Yield the answer in pieces. Closing the generator stops the work."""
        ...


class RemoteBackend(Protocol):
    """Everything off this host, zone PRIVATE included."""

    spec: BackendSpec

    def prepare(self, request: Request) -> Outgoing:
        """The request as this wire would send it. Raises Unsupported for a parameter it can neither send nor drop."""
        ...

    def stream(self, released: Released) -> AsyncGenerator[Pieces, None]:
        """Send and yield the answer. Raises BackendError; raises EgressDenied for another backend's permit."""
        ...


class Restore(Protocol):
    """The way back of one transform: takes a backend's answer and yields what the client gets."""

    def __call__(self, answer: AsyncGenerator[Pieces, None]) -> AsyncGenerator[Pieces, None]:
        """Closing what it returns closes `answer`."""
        ...

    @property
    def unrestored(self) -> int:
        """What looked like a placeholder of this request in the answer and could not be put back; told at the end."""
        ...


@dataclass(frozen=True, slots=True)
class Transformed:
    """A request as it may go out, and the way back for its answer."""

    request: Request
    replaced: int
    """How many values were replaced, each occurrence counted."""
    restore: Restore


class Transform(Protocol):
    """Changes a request so that it may go where a rule lets it go only changed. One of `core.types.TRANSFORMS`."""

    name: str

    async def apply(self, request: Request, assessment: Assessment, seen: dict[Any, Any]) -> Transformed:
        """Raises EgressDenied where it cannot: what is left must then stay. `seen` is the detector's memory."""
        ...


class Answer(Protocol):
    """One answer while it is given, for `Taints` to remember what it was made from."""

    def note(self, pieces: Pieces) -> None: ...

    async def keep(self) -> None:
        """Remember what was noted so far. May be called again with more. Never raises."""
        ...


class Taints(Protocol):
    """Remembers what answers were made from, so that the level comes back wherever a client sends them again."""

    async def recall(self, request: Request) -> Scan:
        """What was private in the requests whose answers this one holds or whose conversation it goes on.

        The findings have detector `taint`. Never raises: a memory that cannot be asked is an unreadable part.
        """
        ...

    def watch(self, request: Request, assessment: Assessment, decision: Decision) -> Answer | None:
        """The answer to `request`, or None when there is nothing private to remember."""
        ...


class AnswerGuard(Protocol):
    """Takes private values out of an answer on its way to the client."""

    def __call__(
        self,
        answer: AsyncGenerator[Pieces, None],
        at_least: Sensitivity,
        level_of: Callable[[str, str], Sensitivity],
    ) -> AsyncGenerator[Pieces, None]:
        """`level_of(kind, category)` is the policy's; what it puts at `at_least` or above is redacted."""
        ...


class Cache(Protocol):
    """Remembers whole answers. A failure of any kind is a miss."""

    async def get(self, key: str, tenant: str) -> Sequence[Chunk] | None: ...

    async def put(self, key: str, tenant: str, chunks: Sequence[Chunk], *, local: bool) -> None:
        """Store an answer. `local` answers stay in this process's memory unless sharing them is switched on."""
        ...


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


class AuditSink(Protocol):
    """Durable, ordered evidence."""

    async def write(self, record: AuditRecord, *, durable: bool = True) -> Receipt:
        """Append. With `durable`, return only after fsync. Raises AuditUnavailable."""
        ...


class Observer(Protocol):
    """Told how each request ended. Must not block and must not raise."""

    def finished(self, outcome: Outcome) -> None: ...

    def backend_failed(self, backend: str, error: Exception) -> None:
        """One backend failed, whatever came of the request afterwards."""
        ...

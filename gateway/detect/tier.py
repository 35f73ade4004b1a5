"""An optional tier: something that reads texts and says what is in them, and the terms on which it is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from gateway.core.types import Scan
from gateway.detect.walk import Text


class Span(NamedTuple):
    """What a finder recognised in one text, in code points."""

    start: int
    end: int
    kind: str
    category: str
    confidence: float


class Finder(Protocol):
    """Reads texts. It may raise and it may be slow: whoever asks it answers for both."""

    name: str
    """One word; the `detector` of its findings."""

    @property
    def pack(self) -> str:
        """Digest of what it looks with: model, table, address."""
        ...

    @property
    def words(self) -> frozenset[tuple[str, str]]:
        """Every (kind, category) that it may say, as far as it can be known beforehand."""
        ...

    def pick(self, texts: Sequence[Text]) -> Sequence[Text]:
        """What it wants to read of a document's texts."""
        ...

    async def find(self, texts: Sequence[str]) -> Sequence[Sequence[Span]]:
        """The spans of each text, in the order of the texts."""
        ...

    async def aclose(self) -> None: ...


def always(_scan: Scan) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Tier:
    """A finder and the terms: how long it has, what its failure means, when it is not asked."""

    finder: Finder
    deadline_s: float = 2.0
    required: bool = True
    """What it did not read counts as unread. Without: it is missed by nobody."""
    unless: frozenset[str] = frozenset()
    """Kinds that make asking it pointless when they are already found."""
    only_if: Callable[[Scan], bool] = always
    """Whether what is found so far leaves a question for it."""
    last: bool = False
    """Asked after the others, knowing what they found."""

    def wanted(self, scan: Scan) -> bool:
        return self.unless.isdisjoint(finding.kind for finding in scan.findings) and self.only_if(scan)

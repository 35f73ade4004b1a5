"""A cascade that judges as a test says, and local answers whose tokens come with figures."""

from __future__ import annotations

from dataclasses import dataclass, field

from gateway.core.confidence import Confidence
from gateway.core.types import Assessment, Chunk, Usage
from tests.support.line import Step

WORDS = ("One", " two", " three", " four", " five.")
SAID = "".join(WORDS)


def token(text: str) -> list[Chunk]:
    return [Chunk(0, {"content": text}, model="m", confidence=[(-0.5, 1.0, 2.0)])]


END = [Chunk(0, {}, "stop", model="m"), Chunk(usage=Usage(7, 5), model="m")]
SURE: tuple[Step, ...] = (*map(token, WORDS), END)
"""A whole answer of five tokens, one in a piece."""


@dataclass
class Judging:
    """Gives every draft the same gain, and remembers what it was shown."""

    verdict: float | None = 0.9
    most_tokens: int = 3
    most_s: float = 5.0
    breaks: bool = False
    asked: int = 0
    shown: list[tuple[str, int, bool]] = field(default_factory=list)
    """Text, tokens and whether that is all, of each draft."""

    def drafts(self, assessment: Assessment) -> bool:
        self.asked += 1
        return assessment.gain is not None and 0.4 <= assessment.gain <= 0.7

    def gain(self, assessment: Assessment, sureness: Confidence | None, text: str, ended: bool) -> float | None:
        self.shown.append((text, sureness.tokens if sureness else 0, ended))
        if self.breaks:
            raise RuntimeError("the head broke")
        return self.verdict

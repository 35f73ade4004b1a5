"""Parts of a line that break on purpose, and what a test asks a line that fails."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gateway.core.ports import Detector, Transformed
from gateway.core.types import Assessment, Chunk, Json, Pieces, Request, Scan
from gateway.pipeline import Pipeline
from tests.support.line import HARD, IBAN, Line, Step, asking, text_of

ASKED = f"Why would {IBAN} be refused?"
SECRET = b"s" * 32
"""Makes the tags of placeholders."""
MASKED = """
name: test
permit:
  - {name: masked, zone: remote, with: pseudonymise,
     when: {sensitivity: {at_most: confidential}, complexity: {at_least: 0.55}}}
"""


def fitted(line: Line, **parts: Any) -> Line:
    """The same line with other parts."""
    line.pipeline = Pipeline(replace(line.pipeline._parts, **parts))
    return line


def stayed(line: Line) -> None:
    for remote in line.remotes.values():
        assert (remote.calls, remote.sent) == (0, [])


async def stays(line: Line, text: str = HARD, **more: Any) -> str:
    """The request is answered here and nothing left. Says why nobody could read it."""
    reply, _ = await line.ask(asking(text, **more))
    assert reply.way.backend == "local"
    stayed(line)
    unread = line.audit.records[0].facts["unreadable"]
    assert isinstance(unread, list)
    return str(unread[0]["reason"]) if unread else ""


async def told(line: Line, request: Request) -> tuple[str, Exception | None]:
    """All that the client was shown, and what ended it."""
    shown: list[Chunk] = []
    try:
        async with line.pipeline.handle(request) as reply:
            async for pieces in reply.pieces:
                shown.extend(pieces)
    except Exception as error:
        return text_of(shown), error
    return text_of(shown), None


def answering(*texts: str) -> tuple[Step, ...]:
    return (*([Chunk(0, {"content": text})] for text in texts), [Chunk(0, {}, "stop")])


@dataclass
class Failing:
    """A detector that is good for so many scans and then raises, whatever its promise."""

    inner: Detector
    good_for: int = 0
    scans: int = 0

    @property
    def pack(self) -> str:
        return self.inner.pack

    async def scan(self, document: Mapping[str, Json], seen: dict[Any, Any] | None = None) -> Scan:
        self.scans += 1
        if self.scans > self.good_for:
            raise RuntimeError(f"broke over {document}")
        return await self.inner.scan(document, seen)


@dataclass
class BrokenTransform:
    """Raises at once, or gives a way back that gives up after so many pieces."""

    error: Exception
    pieces: int | None = None
    name: str = "pseudonymise"
    unrestored: int = 0

    async def apply(self, request: Request, assessment: Assessment, seen: dict[Any, Any]) -> Transformed:
        if self.pieces is None:
            raise self.error
        body = {**request.body, "messages": [{"role": "user", "content": "About [IBAN_1_k7f2]: what is it?"}]}
        return Transformed(replace(request, body=body), 1, self)

    async def __call__(self, answer: AsyncGenerator[Pieces, None]) -> AsyncGenerator[Pieces, None]:
        told = 0
        async for pieces in answer:
            if told == self.pieces:
                raise self.error
            told += 1
            yield pieces

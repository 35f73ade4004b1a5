"""The models that are asked, and how: the local one where it stands, any other through the gateway's own line."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Protocol

from gateway.calibrate.journal import Answer
from gateway.calibrate.probes import Probe
from gateway.core.asking import undecided
from gateway.core.beginning import Beginning
from gateway.core.ports import LocalBackend
from gateway.core.types import Chunk, Json, Principal, Request

HELD = 24
"""First tokens of a local answer that are kept with their figures, for the cascade to be fitted to."""


class Side(Protocol):
    """One model under all that its answers depend on."""

    key: str
    """The same key, the same answers: what stands in the journal under it is not asked for again."""

    async def ask(self, probe: Probe) -> Answer:
        """Raises GatewayError where there is no answer now and may be one later."""
        ...


def body_of(text: str, max_tokens: int) -> dict[str, Json]:
    """The greedy answer: what calibration measures should not depend on luck."""
    return {"messages": [{"role": "user", "content": text}], "max_tokens": max_tokens, "temperature": 0, "seed": 1}


class Local:
    """The model on this host. Nothing leaves, so that no policy is asked: also what it may not answer is measured."""

    def __init__(self, backend: LocalBackend, key: str, max_tokens: int) -> None:
        self.key = f"local {key} {max_tokens}"
        self._backend = backend
        self._max_tokens = max_tokens

    async def ask(self, probe: Probe) -> Answer:
        body = {"model": "local", **body_of(probe.prompt, self._max_tokens)}
        request = Request(f"calibrate-{probe.digest}", Principal(), "local", body, local_only=True)
        heard = _Heard()
        async with aclosing(self._backend.stream(request, undecided(self._backend, "calibrate"))) as answer:
            async for pieces in answer:
                for chunk in pieces:
                    heard.add(chunk)
        return heard.answer()


class Outside:
    """A model elsewhere, reached through the line."""

    def __init__(self, line: Callable[[dict[str, Json]], Awaitable[Answer]], key: str, max_tokens: int) -> None:
        """`line` takes a chat body to one backend as every other request goes, with policy, door and records."""
        self.key = f"outside {key} {max_tokens}"
        self._line = line
        self._max_tokens = max_tokens

    async def ask(self, probe: Probe) -> Answer:
        return await self._line(body_of(probe.prompt, self._max_tokens))


@dataclass(slots=True)
class _Heard:
    """A local answer as its pieces come."""

    text: str = ""
    prompt_tokens: int = 0
    completion_tokens: int = 0
    begun: str = ""
    figures: list[list[float]] | None = None
    finished: bool = False

    def add(self, chunk: Chunk) -> None:
        self.text += chunk.delta.get("content") or ""
        if chunk.usage is not None:
            self.prompt_tokens, self.completion_tokens = chunk.usage.prompt_tokens, chunk.usage.completion_tokens
        if chunk.confidence and self.figures is None:
            self.figures = []
        if self.figures is not None and len(self.figures) < HELD and not self.finished:
            self.figures += [[round(each, 4) for each in token] for token in chunk.confidence or ()]
            self.begun, self.finished = self.text, chunk.finish is not None

    def answer(self) -> Answer:
        begun: dict[str, Any] | None = None
        if self.figures:
            begun = {"text": self.begun, "figures": self.figures[:HELD], "finished": self.finished}
        return Answer(self.text, self.prompt_tokens, self.completion_tokens, begun=begun)


def beginning(answer: Answer) -> Beginning | None:
    """How a local answer began; None for a model that does not tell how sure it is."""
    if answer.begun is None:
        return None
    begun = Beginning(HELD)
    finish = "stop" if answer.begun["finished"] else None
    begun.add((Chunk(delta={"content": answer.begun["text"]}, confidence=answer.begun["figures"], finish=finish),))
    return begun

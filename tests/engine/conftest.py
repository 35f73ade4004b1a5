"""The real model, found through the catalogue or fetched, and ways to ask an engine."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from gateway.core.types import Decision, Principal, Request, Sensitivity, Usage, Zone
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.local import LocalEngine
from gateway.engine.options import EngineOptions
from tests.support.models import default_model

DECISION = Decision(Sensitivity.INTERNAL, Zone.LOCAL, "local", "default", (), "test", "0", ())


def pytest_unconfigure() -> None:
    """llama_cpp opens /dev/null at import and never closes it: a warning after the last test, for each of two files."""
    opened = sys.modules.get("llama_cpp._utils")
    for name in ("outnull_file", "errnull_file"):
        if opened is not None:
            getattr(opened, name).close()


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """Module-wide, so that one engine can serve a module's tests on one event loop."""
    return "asyncio"


@pytest.fixture(scope="session")
def model() -> ModelFile:
    return default_model()


@dataclass
class Said:
    """An answer as the edge would collect it."""

    texts: dict[int, str] = field(default_factory=dict)
    finishes: dict[int, list[str]] = field(default_factory=dict)
    logprobs: list[Any] = field(default_factory=list)
    usage: Usage | None = None

    @property
    def text(self) -> str:
        return self.texts[0]


def request(text: str | list[Any], **body: Any) -> Request:
    messages = text if isinstance(text, list) else [{"role": "user", "content": text}]
    return Request("r1", Principal(), "local", {"messages": messages, **body})


async def say(engine: LocalEngine, text: str | list[Any], *, decision: Decision = DECISION, **body: Any) -> Said:
    said = Said()
    async with aclosing(engine.stream(request(text, **body), decision)) as answer:
        async for pieces in answer:
            for chunk in pieces:
                assert said.usage is None, "usage comes last"
                if chunk.usage is not None:
                    said.usage = chunk.usage
                    continue
                said.texts[chunk.choice] = said.texts.get(chunk.choice, "") + chunk.delta.get("content", "")
                if chunk.finish is not None:
                    said.finishes.setdefault(chunk.choice, []).append(chunk.finish)
                if chunk.logprobs is not None:
                    said.logprobs.extend(chunk.logprobs["content"])
    return said


@asynccontextmanager
async def running(engine: LocalEngine) -> AsyncIterator[LocalEngine]:
    async with anyio.create_task_group() as tasks:
        await tasks.start(engine.run)
        yield engine
        tasks.cancel_scope.cancel()


@dataclass(frozen=True)
class Tools:
    """What tests need of this file (there are no imports between test modules)."""

    say: Callable[..., Any] = say
    request: Callable[..., Request] = request
    running: Callable[[LocalEngine], AbstractAsyncContextManager[LocalEngine]] = running
    decision: Decision = DECISION


@pytest.fixture(scope="session")
def tools() -> Tools:
    return Tools()


@pytest.fixture(scope="module", params=["process", "thread"])
async def engine(request: pytest.FixtureRequest, model: ModelFile) -> AsyncIterator[LocalEngine]:
    async with running(
        LocalEngine(model, EngineOptions(context=512, threads=1, isolation=request.param, queue=3))
    ) as started:
        yield started

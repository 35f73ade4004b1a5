"""A maker of lines for each test, detectors that do read, and parts of a line that break."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.ports import Detector, Transformed
from gateway.core.types import Assessment, Json, Pieces, Request, Scan
from gateway.detect import Scanner
from gateway.pipeline import Pipeline
from tests.support.line import Line, Lines


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    return Lines(tmp_path)


@pytest.fixture(scope="session")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The automaton takes seconds to compile: once for all tests here."""
    return tmp_path_factory.mktemp("packs")


@pytest.fixture(scope="session")
def scanner(packs: Path) -> Scanner:
    return Scanner.load(cache_dir=packs, deadline_ms=20_000)


@pytest.fixture
def fitted() -> Callable[..., Line]:
    """A line with other parts."""

    def fit(line: Line, **parts: Any) -> Line:
        line.pipeline = Pipeline(replace(line.pipeline._parts, **parts))
        return line

    return fit


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


@pytest.fixture
def failing() -> type[Failing]:
    return Failing


@pytest.fixture
def broken_transform() -> type[BrokenTransform]:
    return BrokenTransform

"""One scanner for all tests here: the automaton takes seconds to compile."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.detect import Scanner


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def cache_dir(packs: Path) -> Path:
    return packs


@pytest.fixture(scope="session")
def scanner(cache_dir: Path) -> Scanner:
    # Tests share the processor with others; the deadline has a test of its own.
    return Scanner.load(cache_dir=cache_dir, deadline_ms=5000, tagger=None)

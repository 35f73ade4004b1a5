"""A maker of lines for each test, and the real rules."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.detect import Scanner
from tests.support.line import Lines


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    return Lines(tmp_path)


@pytest.fixture(scope="session")
def scanner(packs: Path) -> Scanner:
    return Scanner.load(cache_dir=packs, deadline_ms=20_000)

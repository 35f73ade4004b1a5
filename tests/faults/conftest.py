"""A maker of lines for each test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.line import Lines


@pytest.fixture
def lines(tmp_path: Path) -> Lines:
    return Lines(tmp_path)

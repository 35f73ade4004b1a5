"""A traffic that nobody has asked anything yet."""

from __future__ import annotations

import pytest

from tests.support.traffic import Asker


@pytest.fixture
def asker() -> Asker:
    return Asker()

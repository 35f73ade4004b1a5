"""The tagger as it ships, loaded once."""

from __future__ import annotations

import pytest

from gateway.detect.tagger import Tagger


@pytest.fixture(scope="session")
def tagger() -> Tagger:
    return Tagger.load()

"""A real Valkey that a test may stop, and gateways' memories over it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cache.breaker import Breaker
from gateway.taint import TaintMemory, open_taints
from tests.support.valkey import ValkeyServer, valkey

SECRET = b"a secret of thirty-two bytes ...."


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ValkeyServer]:
    with valkey(tmp_path) as running:
        yield running


@pytest.fixture
async def gateway() -> AsyncIterator[Callable[..., TaintMemory]]:
    """Makes memories of several gateways and closes them. They are patient: deadlines have tests of their own."""
    made: list[TaintMemory] = []

    def make(url: str, **options: Any) -> TaintMemory:
        arguments = {
            "secret": SECRET,
            "timeout_s": 20.0,
            "breaker": Breaker(failures=1, rest_s=0.05),
            **options,
        }
        made.append(open_taints(url, **arguments))
        return made[-1]

    yield make
    for memory in made:
        await memory.aclose()

"""What the scorer's tests share: the scorer, a local model that speaks English only, and requests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.core.types import BackendSpec, Principal, Request, Zone
from gateway.score.scorer import EnsembleScorer


@pytest.fixture(scope="session")
def scorer() -> EnsembleScorer:
    return EnsembleScorer()


@pytest.fixture(scope="session")
def english_only() -> BackendSpec:
    return BackendSpec(
        "local", Zone.LOCAL, "llama", "tiny", context=2048, images=False, tools=False, languages=frozenset({"en"})
    )


@pytest.fixture(scope="session")
def request_of() -> Callable[..., Request]:
    def make(*messages: Any, **body: Any) -> Request:
        turns = [{"role": "user", "content": each} if isinstance(each, str) else each for each in messages]
        return Request(id="r", principal=Principal(), model="auto", body={"messages": turns, **body})

    return make

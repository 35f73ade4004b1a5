"""The scorer of a running gateway: counts near the limit with the engine's tokenizer, and keeps conversations whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.core.ports import LocalBackend, Scorer, Traffic
from gateway.core.types import BackendSpec
from gateway.score.counting import Count
from gateway.score.scorer import LexicalScorer
from gateway.score.sticky import Sides, StayingScorer, StayingTraffic


def build_scoring(spec: BackendSpec, local: LocalBackend | None, traffic: Traffic) -> tuple[Scorer, Traffic]:
    """The scorer, and the traffic that tells it where each turn of a conversation was answered."""
    sides = Sides()
    return StayingScorer(LexicalScorer(spec, count=_count(local)), sides), StayingTraffic(sides, traffic)


def _count(local: LocalBackend | None) -> Count | None:
    """The engine's own tokenizer, where there is one."""
    tokens = getattr(local, "count_tokens", None)
    if tokens is None:
        return None

    async def count(body: Mapping[str, Any]) -> int:
        return int(await tokens(body["messages"], body))

    return count

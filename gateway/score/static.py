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
SHORTEST = 4
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

        found = [row for token in tokens if (row := self._row(token)) is not None]
        if not found:
            return np.zeros(WIDTH, dtype=np.float32)
        at = np.array(found)
        total: Array = self.scales[at] @ self.rows[at].astype(np.float32)
        length = float(np.linalg.norm(total))
        return total / length if length > 0 else total

    def _row(self, token: str) -> int | None:
        """Of the word, else of the longest start of it that is known."""
        row = self.numbers.get(token)
        if row is None and len(token) > SHORTEST:
            for end in range(min(len(token) - 1, 24), SHORTEST - 1, -1):
                row = self.numbers.get(token[:end])
                if row is not None:
                    return row
        return row


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

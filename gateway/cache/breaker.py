"""Stops asking a server that does not answer, and asks it again, once, after a rest."""

from __future__ import annotations

import time
from collections.abc import Callable


class Breaker:
    """Closed while the server answers; open after `failures` in a row; after `rest_s` one caller may try.

    `failed` and `succeeded` say whether they changed the state, so that the change can be logged once.
    """

    def __init__(self, failures: int = 3, rest_s: float = 5.0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = failures
        self._rest_s = rest_s
        self._clock = clock
        self._failures = 0
        self._retry_at: float | None = None
        """When the next caller may try; None while closed."""

    @property
    def open(self) -> bool:
        return self._retry_at is not None

    def allows(self) -> bool:
        """Whether this caller may ask the server. The one let through while open keeps all others out for a rest."""
        if self._retry_at is None:
            return True
        now = self._clock()
        if now < self._retry_at:
            return False
        self._retry_at = now + self._rest_s
        return True

    def succeeded(self) -> bool:
        changed = self.open
        self._failures = 0
        self._retry_at = None
        return changed

    def failed(self) -> bool:
        self._failures += 1
        if self._failures < self._limit:
            return False
        changed = not self.open
        self._retry_at = self._clock() + self._rest_s
        return changed

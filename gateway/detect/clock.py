"""Processor time of one scan: walking, normalising, searching and decoding all draw on it."""

from __future__ import annotations

import time


class DeadlineError(Exception):
    """The scan has used up its processor time."""


class Clock:
    """Stopped while other work runs in the same thread."""

    def __init__(self, limit_ms: float) -> None:
        self._left = limit_ms / 1000
        self._until = time.thread_time() + self._left

    def stop(self) -> None:
        self._left = self._until - time.thread_time()

    def start(self) -> None:
        self._until = time.thread_time() + self._left

    @property
    def late(self) -> bool:
        return time.thread_time() > self._until

    def check(self) -> None:
        if self.late:
            raise DeadlineError

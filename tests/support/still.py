"""An event loop whose time stands still while anybody has something to do: a deadline never passes too soon.

For tests of this process alone. A pause costs nothing and takes exactly as long as it says, whatever else the machine
does. Threads and other processes are not waited for: what they do takes no time at all.
"""

from __future__ import annotations

import asyncio
import selectors
from typing import Any

import pytest


class _Leaping(selectors.DefaultSelector):
    """Where the loop would wait for a timer, the time of that timer comes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:  # nobody waits for a time: for a thread, perhaps
            return super().select(None)
        if events := super().select(0):
            return events
        self.now += max(0.0, timeout)
        return []


class StillLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._leaping = _Leaping()
        super().__init__(self._leaping)

    def time(self) -> float:
        return self._leaping.now


_BACKEND: tuple[str, dict[str, Any]] = ("asyncio", {"loop_factory": StillLoop})

still = pytest.mark.parametrize("anyio_backend", [pytest.param(_BACKEND, id="still")])
"""Marks a test, or all of a module, as one whose time stands still."""

"""Waiting for what happens elsewhere: after the answer has gone, in another process, on a machine that is busy."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 30.0
"""How long a test waits for what must happen. Only a test that fails waits so long, however busy the machine is."""


def wait_for(found: Callable[[], T], timeout_s: float = PATIENCE_S) -> T:
    """What `found` gives once it gives something. Fails when that does not happen."""
    until = time.monotonic() + timeout_s
    while not (value := found()):
        assert time.monotonic() < until, f"it did not happen within {timeout_s} s"
        time.sleep(0.02)
    return value

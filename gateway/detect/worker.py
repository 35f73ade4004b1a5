"""Runs blocking calls in a few threads of its own, so that a slow library holds up neither loop nor deadline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Worker:
    """Whoever stops waiting leaves the queue; a call that runs cannot be stopped and ends by itself.

    anyio's threads are given back to the pool the moment nobody waits, so that late calls pile up: here the next
    ones wait, and fail at their own deadline.
    """

    def __init__(self, name: str, threads: int = 1) -> None:
        self._threads = ThreadPoolExecutor(max_workers=threads, thread_name_prefix=name)

    async def run(self, call: Callable[[], T]) -> T:
        return await asyncio.wrap_future(self._threads.submit(call))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

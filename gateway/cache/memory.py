"""Answers in this process's memory: bounded in bytes, least recently used first out, gone after their time."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from gateway.cache.codec import decode, encode
from gateway.core.types import Chunk, Json

_ENTRY_BYTES = 400
"""What Python keeps beside the value: two strings, a tuple, a number, a place in the table (measured, rounded up)."""


class MemoryCache:
    """Keeps bytes, not chunks: the bound is exact, and no two requests ever share a dict that one could change."""

    def __init__(self, max_mb: int = 64, ttl_s: float = 3600.0, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_bytes = max_mb * 1024 * 1024
        self._ttl_s = ttl_s
        self._clock = clock
        self._entries: OrderedDict[tuple[str, str], tuple[float, bytes]] = OrderedDict()
        self._bytes = 0
        self._hits = 0
        self._misses = 0
        self._evicted = 0

    async def get(self, key: str, tenant: str) -> Sequence[Chunk] | None:
        name = (tenant, key)
        entry = self._entries.get(name)
        if entry is not None and entry[0] <= self._clock():
            self._forget(name)
            entry = None
        if entry is None:
            self._misses += 1
            return None
        self._entries.move_to_end(name)
        self._hits += 1
        return decode(entry[1])

    async def put(self, key: str, tenant: str, chunks: Sequence[Chunk], *, local: bool) -> None:
        try:
            value = encode(chunks)
        except TypeError:
            return  # an answer that JSON cannot hold is not remembered
        name = (tenant, key)
        if name in self._entries:
            self._forget(name)
        if _ENTRY_BYTES + len(value) > self._max_bytes:
            return
        self._entries[name] = (self._clock() + self._ttl_s, value)
        self._bytes += _ENTRY_BYTES + len(value)
        while self._bytes > self._max_bytes:
            self._forget(next(iter(self._entries)))
            self._evicted += 1

    async def warm(self, deadline_s: float = 2.0) -> bool:
        return True

    async def aclose(self) -> None:
        self._entries.clear()
        self._bytes = 0

    def status(self) -> dict[str, Json]:
        return {
            "kind": "memory",
            "state": "ok",
            "entries": len(self._entries),
            "bytes": self._bytes,
            "max_bytes": self._max_bytes,
            "hits": self._hits,
            "misses": self._misses,
            "evicted": self._evicted,
        }

    def _forget(self, name: tuple[str, str]) -> None:
        _, value = self._entries.pop(name)
        self._bytes -= _ENTRY_BYTES + len(value)

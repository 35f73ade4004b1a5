"""From `cache.url` to a cache: the one place that knows which schemes exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from gateway.cache.layered import LayeredCache
from gateway.cache.memory import MemoryCache
from gateway.cache.redis import RedisCache
from gateway.core.errors import ConfigurationError
from gateway.core.ports import Cache
from gateway.core.types import Chunk, Json


class OpenedCache(Cache, Protocol):
    """A cache with an owner, who warms it up, asks how it does, and closes it."""

    async def warm(self, deadline_s: float = 2.0) -> bool:
        """Get ready for the first request; False when the server did not answer. Nothing depends on it."""
        ...

    async def aclose(self) -> None: ...

    def status(self) -> dict[str, Json]:
        """`kind`, `state` (ok, down or off) and counters, for readiness and metrics."""
        ...


class NoCache:
    """Remembers nothing."""

    async def get(self, key: str, tenant: str) -> Sequence[Chunk] | None:
        return None

    async def put(self, key: str, tenant: str, chunks: Sequence[Chunk], *, local: bool) -> None:
        return None

    async def warm(self, deadline_s: float = 2.0) -> bool:
        return True

    async def aclose(self) -> None:
        return None

    def status(self) -> dict[str, Json]:
        return {"kind": "off", "state": "off"}


def open_cache(url: str, *, ttl_s: float, secret: bytes, share_local: bool = False, max_mb: int = 64) -> OpenedCache:
    """Does not connect. `secret` is the same on all replicas that are to share answers.

    Raises ConfigurationError for an address it does not know; the message never holds the address, since that may
    hold a password.
    """
    scheme = url.partition("://")[0]
    if scheme == "off":
        return NoCache()
    if scheme == "memory":
        return MemoryCache(max_mb, ttl_s)
    if scheme in {"redis", "rediss", "unix"}:
        if len(secret) < 16:
            raise ConfigurationError("a cache outside this process needs a secret of at least 16 bytes")
        return LayeredCache(MemoryCache(max_mb, ttl_s), RedisCache(url, ttl_s, secret, share_local))
    raise ConfigurationError("cache.url must begin with memory://, redis://, rediss://, unix:// or off://")

"""Memory before Redis: what the local engine answered stays in this process, the rest is shared by all replicas."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.cache.memory import MemoryCache
from gateway.cache.redis import RedisCache
from gateway.core.types import Chunk, Json


class LayeredCache:
    """RedisCache itself refuses local answers, so this class only says the order.

    A hit in Redis is not copied into memory: it would live a second time-to-live there, and longer than what an
    operator deletes from Redis.
    """

    def __init__(self, memory: MemoryCache, redis: RedisCache) -> None:
        self._memory = memory
        self._redis = redis

    async def get(self, key: str, tenant: str) -> Sequence[Chunk] | None:
        chunks = await self._memory.get(key, tenant)
        return chunks if chunks is not None else await self._redis.get(key, tenant)

    async def put(self, key: str, tenant: str, chunks: Sequence[Chunk], *, local: bool) -> None:
        await self._memory.put(key, tenant, chunks, local=local)
        await self._redis.put(key, tenant, chunks, local=local)

    async def warm(self, deadline_s: float = 2.0) -> bool:
        return await self._redis.warm(deadline_s)

    async def aclose(self) -> None:
        await self._memory.aclose()
        await self._redis.aclose()

    def status(self) -> dict[str, Json]:
        redis = self._redis.status()
        return {"kind": "layered", "state": redis["state"], "memory": self._memory.status(), "redis": redis}

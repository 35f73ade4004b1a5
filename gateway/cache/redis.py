"""Answers in Redis or Valkey, locked per tenant. Down, slow, full or tampered with: a miss within the deadline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gateway.cache.breaker import Breaker
from gateway.cache.codec import decode, encode
from gateway.cache.key import is_local
from gateway.cache.seal import Seal
from gateway.cache.server import RedisServer
from gateway.core.types import Chunk, Json


class RedisCache:
    """One server by URL, see `RedisServer`."""

    def __init__(
        self,
        url: str,
        ttl_s: float,
        secret: bytes,
        share_local: bool = False,
        timeout_s: float = 0.05,
        *,
        max_value_kb: int = 1024,
        breaker: Breaker | None = None,
        log: Any = None,
    ) -> None:
        self._server = RedisServer(url, timeout_s, breaker=breaker, log=log)
        self._ttl_ms = max(1, int(ttl_s * 1000))
        self._seal = Seal(secret)
        self._share_local = share_local
        self._max_bytes = max_value_kb * 1024
        self._hits = 0
        self._misses = 0
        self._unsealable = 0

    async def get(self, key: str, tenant: str) -> Sequence[Chunk] | None:
        if is_local(key) and not self._share_local:
            return None
        name = _name(key)
        # GETRANGE, not GET: whatever somebody else put under this name, no more than a value of ours is read.
        sealed: bytes | None = await self._server.ask(lambda redis: redis.getrange(name, 0, self._max_bytes))
        chunks = self._unseal(sealed, tenant, name) if sealed else None
        if chunks is None:
            self._misses += 1
        else:
            self._hits += 1
        return chunks

    async def put(self, key: str, tenant: str, chunks: Sequence[Chunk], *, local: bool) -> None:
        if (local or is_local(key)) and not self._share_local:
            return
        name = _name(key)
        try:
            sealed = self._seal.close(encode(chunks), tenant=tenant, name=name)
        except TypeError:
            return  # an answer that JSON cannot hold is not remembered
        if len(sealed) <= self._max_bytes:
            await self._server.ask(lambda redis: redis.set(name, sealed, px=self._ttl_ms))

    async def warm(self, deadline_s: float = 2.0) -> bool:
        """Make the first connection with more time than a request has, and say whether the server answered."""
        return await self._server.warm(deadline_s)

    async def aclose(self) -> None:
        await self._server.aclose()

    def status(self) -> dict[str, Json]:
        return {
            "kind": "redis",
            "state": "down" if self._server.down else "ok",
            "hits": self._hits,
            "misses": self._misses,
            "failures": self._server.failures,
            "refused": self._server.refused,
            "unsealable": self._unsealable,
        }

    def _unseal(self, sealed: bytes, tenant: str, name: str) -> tuple[Chunk, ...] | None:
        value = self._seal.open(sealed, tenant=tenant, name=name)
        try:
            if value is not None:
                return decode(value)
        except ValueError:
            pass  # written by a release with another format
        self._unsealable += 1
        return None


def _name(key: str) -> str:
    """Braces make the digest the hash tag, so that anything kept beside an answer lands on the same cluster node."""
    return f"slmgw:{{{key}}}"

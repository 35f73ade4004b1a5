"""Answers in Redis or Valkey, locked per tenant. Down, slow, full or tampered with: a miss within the deadline."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import anyio
import structlog

from gateway.cache.breaker import Breaker
from gateway.cache.codec import decode, encode
from gateway.cache.key import is_local
from gateway.cache.seal import Seal
from gateway.core.errors import ConfigurationError
from gateway.core.types import Chunk, Json

T = TypeVar("T")

_PATIENCE_S = 2.0


class RedisCache:
    """One server by URL: redis://, rediss:// (TLS, `?ssl_ca_certs=` for a private CA) or unix://."""

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
        self._redis, self._refusal = _connect(url, timeout_s)
        self._ttl_ms = max(1, int(ttl_s * 1000))
        self._seal = Seal(secret)
        self._share_local = share_local
        self._timeout_s = timeout_s
        self._max_bytes = max_value_kb * 1024
        self._breaker = breaker or Breaker()
        self._log = log or structlog.get_logger()
        self._counts = {"hits": 0, "misses": 0, "failures": 0, "refused": 0, "unsealable": 0}

    async def get(self, key: str, tenant: str) -> Sequence[Chunk] | None:
        if is_local(key) and not self._share_local:
            return None
        name = _name(key)
        # GETRANGE, not GET: whatever somebody else put under this name, no more than a value of ours is read.
        sealed: bytes | None = await self._ask(lambda: self._redis.getrange(name, 0, self._max_bytes))
        chunks = self._unseal(sealed, tenant, name) if sealed else None
        self._counts["misses" if chunks is None else "hits"] += 1
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
            await self._ask(lambda: self._redis.set(name, sealed, px=self._ttl_ms))

    async def warm(self, deadline_s: float = _PATIENCE_S) -> bool:
        """Make the first connection with more time than a request has, and say whether the server answered."""
        return await self._ask(lambda: self._redis.ping(), deadline_s) is not None

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(1.0):
            await self._redis.aclose()

    def status(self) -> dict[str, Json]:
        return {"kind": "redis", "state": "down" if self._breaker.open else "ok", **self._counts}

    def _unseal(self, sealed: bytes, tenant: str, name: str) -> tuple[Chunk, ...] | None:
        value = self._seal.open(sealed, tenant=tenant, name=name)
        try:
            if value is not None:
                return decode(value)
        except ValueError:
            pass  # written by a release with another format
        self._counts["unsealable"] += 1
        return None

    async def _ask(self, command: Callable[[], Awaitable[T]], deadline_s: float | None = None) -> T | None:
        """What the server answers, or None. Never raises for anything the server or the network does."""
        if not self._breaker.allows():
            return None
        try:
            with anyio.fail_after(deadline_s or self._timeout_s):
                answer = await command()
        except self._refusal:
            # It answered, so it lives: full (`noeviction`), read-only, MOVED, a foreign type under this name.
            self._counts["refused"] += 1
            self._changed(self._breaker.succeeded())
            return None
        except Exception as error:  # noqa: BLE001  whatever a cache does wrong is a miss
            self._counts["failures"] += 1
            if self._breaker.failed():
                self._log.warning("cache_down", cache="redis", error=type(error).__name__)
            return None
        self._changed(self._breaker.succeeded())
        return answer

    def _changed(self, recovered: bool) -> None:
        if recovered:
            self._log.info("cache_back", cache="redis")


def _name(key: str) -> str:
    """Braces make the digest the hash tag, so that anything kept beside an answer lands on the same cluster node."""
    return f"slmgw:{{{key}}}"


def _connect(url: str, timeout_s: float) -> tuple[Any, type[Exception]]:
    """A client that has not connected yet, and the class of the server's refusals."""
    import redis.asyncio as vendor
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import ResponseError

    try:
        pool = vendor.BlockingConnectionPool.from_url(
            url,
            max_connections=32,
            # `_ask` holds the deadline of a request over all of these together. They bound what has more time: `warm`.
            timeout=timeout_s,
            socket_timeout=_PATIENCE_S,
            socket_connect_timeout=_PATIENCE_S,
            retry=Retry(NoBackoff(), 0),  # a second try is more than the deadline has room for
            protocol=2,  # no HELLO: one round trip less before the first answer
        )
    except (ValueError, TypeError):
        scheme = url.partition("://")[0]
        raise ConfigurationError(f"cache.url is no {scheme!r} address: host, port or a parameter is wrong") from None
    return vendor.Redis.from_pool(pool), ResponseError

"""One Redis or Valkey that is asked within a request's deadline, and not at all while it is down."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import anyio
import structlog

from gateway.cache.breaker import Breaker
from gateway.core.errors import ConfigurationError

T = TypeVar("T")

_PATIENCE_S = 2.0


class RedisServer:
    """One server by URL: redis://, rediss:// (TLS, `?ssl_ca_certs=` for a private CA) or unix://.

    `what` is the state kept there, in the log's words; `setting` is where the operator wrote the address.
    """

    def __init__(
        self,
        url: str,
        timeout_s: float = 0.05,
        *,
        what: str = "cache",
        setting: str = "cache.url",
        breaker: Breaker | None = None,
        log: Any = None,
    ) -> None:
        self._redis, self._refusal = _connect(url, timeout_s, setting)
        self._timeout_s = timeout_s
        self._what = what
        self._breaker = breaker or Breaker()
        self._log = log or structlog.get_logger()
        self.failures = 0
        """It did not answer, or not in time."""
        self.refused = 0
        """It answered that it would not."""

    @property
    def down(self) -> bool:
        return self._breaker.open

    async def ask(self, command: Callable[[Any], Awaitable[T]], deadline_s: float | None = None) -> T | None:
        """What the server answers to `command(client)`, or None. Never raises for what it or the network does."""
        if not self._breaker.allows():
            return None
        try:
            with anyio.fail_after(deadline_s or self._timeout_s):
                answer = await command(self._redis)
        except self._refusal:
            # It answered, so it lives: full (`noeviction`), read-only, MOVED, a foreign type under this name.
            self.refused += 1
            self._changed(self._breaker.succeeded())
            return None
        except Exception as error:  # noqa: BLE001  whatever the server does wrong is no answer
            self.failures += 1
            if self._breaker.failed():
                self._log.warning(f"{self._what}_down", error=type(error).__name__, **{self._what: "redis"})
            return None
        self._changed(self._breaker.succeeded())
        return answer

    async def warm(self, deadline_s: float = _PATIENCE_S) -> bool:
        """Make the first connection with more time than a request has, and say whether the server answered."""
        return await self.ask(lambda redis: redis.ping(), deadline_s) is not None

    async def aclose(self) -> None:
        with anyio.CancelScope(shield=True), anyio.move_on_after(1.0):
            await self._redis.aclose()

    def _changed(self, recovered: bool) -> None:
        if recovered:
            self._log.info(f"{self._what}_back", **{self._what: "redis"})


def _connect(url: str, timeout_s: float, setting: str) -> tuple[Any, type[Exception]]:
    """A client that has not connected yet, and the class of the server's refusals."""
    import redis.asyncio as vendor
    from redis.asyncio.retry import Retry
    from redis.backoff import NoBackoff
    from redis.exceptions import ResponseError

    try:
        pool = vendor.BlockingConnectionPool.from_url(
            url,
            max_connections=32,
            # `ask` holds the deadline of a request over all of these together. They bound what has more time: `warm`.
            timeout=timeout_s,
            socket_timeout=_PATIENCE_S,
            socket_connect_timeout=_PATIENCE_S,
            retry=Retry(NoBackoff(), 0),  # a second try is more than the deadline has room for
            protocol=2,  # no HELLO: one round trip less before the first answer
        )
    except (ValueError, TypeError):
        scheme = url.partition("://")[0]
        raise ConfigurationError(f"{setting} is no {scheme!r} address: host, port or a parameter is wrong") from None
    return vendor.Redis.from_pool(pool), ResponseError

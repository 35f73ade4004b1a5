"""From an address to a taint memory: the one place that knows which stores exist."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from gateway.cache.breaker import Breaker
from gateway.cache.seal import Seal
from gateway.cache.server import RedisServer
from gateway.core.errors import ConfigurationError
from gateway.taint.memory import TTL_S, TaintMemory
from gateway.taint.proof import Proof
from gateway.taint.shared import SharedStore
from gateway.taint.store import LocalStore


def open_taints(
    url: str | None,
    *,
    ttl_s: float = TTL_S,
    secret: bytes,
    max_mb: float = 64,
    max_owner_mb: float = 32,
    timeout_s: float = 0.05,
    clock: Callable[[], float] = time.time,
    breaker: Breaker | None = None,
    log: Any = None,
) -> TaintMemory:
    """Does not connect. None or memory:// is this process alone; redis://, rediss:// and unix:// are for several.

    `secret` is the same on all gateways that are to share what they remember. Raises ConfigurationError for an
    address it does not know; the message never holds the address, since that may hold a password.
    """
    local = LocalStore(max_mb=max_mb, max_owner_mb=max_owner_mb, clock=clock)
    scheme = (url or "memory://").partition("://")[0]
    if scheme == "memory":
        return TaintMemory(local, secret=secret, ttl_s=ttl_s, clock=clock, log=log)
    if scheme in {"redis", "rediss", "unix"}:
        if len(secret) < 16:
            raise ConfigurationError("a taint memory outside this process needs a secret of at least 16 bytes")
        server = RedisServer(url or "", timeout_s, what="taint", setting="taint.url", breaker=breaker, log=log)
        store = SharedStore(
            server,
            Seal(b"taint\0" + secret),
            local,
            Proof(secret, clock=clock, log=log),
            ttl_s=ttl_s,
            patience_s=timeout_s,
            clock=clock,
            log=log,
        )
        return TaintMemory(store, secret=secret, ttl_s=ttl_s, clock=clock, log=log)
    raise ConfigurationError("taint.url must begin with memory://, redis://, rediss:// or unix://")

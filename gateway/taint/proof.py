"""Whether the gateways over one server have the same key: with another one each would see nothing of the others.

Every gateway leaves a keyed hash of one constant there and looks whose else are there. What was not renewed for a while
is gone, so that changing the key of all gateways heals by itself.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import structlog

from gateway.cache.server import RedisServer

NAME = "slmgw:taint:keys"
_CONSTANT = b"slm-gateway taint: one key for all gateways"
_EVERY_S = 60.0
_KEPT_S = 600.0
"""How long a gateway that is gone is still counted."""


class Proof:
    """Asked before anything is read; goes to the server once a minute."""

    def __init__(self, secret: bytes, *, clock: Callable[[], float] = time.time, log: Any = None) -> None:
        self._own = hmac.digest(secret, _CONSTANT, "sha256")[:16]
        self._clock = clock
        self._log = log or structlog.get_logger()
        self._again_at = 0.0
        self.differs = False
        """Another gateway over this server has another key."""

    async def look(self, server: RedisServer) -> None:
        if time.monotonic() < self._again_at:
            return
        present = await server.ask(partial(_renew, self._own, self._clock()))
        if present is None:
            return  # the server is down, which is told anyhow
        self._again_at = time.monotonic() + _EVERY_S
        differs = any(not hmac.compare_digest(each, self._own) for each in present)
        if differs and not self.differs:
            self._log.error("taint_key_differs", taint="redis", setting="taint.key")
        self.differs = differs


async def _renew(own: bytes, now: float, redis: Any) -> list[bytes]:
    pipe = redis.pipeline(transaction=False)
    pipe.zadd(NAME, {own: now})
    pipe.zremrangebyscore(NAME, "-inf", now - _KEPT_S)
    pipe.pexpire(NAME, int(_KEPT_S * 1000))
    pipe.zrange(NAME, 0, 31)
    answers: list[Any] = await pipe.execute()
    present: list[bytes] = answers[-1]
    return present

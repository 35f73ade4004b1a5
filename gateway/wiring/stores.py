"""What a gateway remembers from one request to the next, on disk or in memory, and the key of what it keeps."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from gateway.audit.jsonl import JsonlAudit
from gateway.cache import answer_key, open_cache
from gateway.cache.opened import OpenedCache
from gateway.core.types import BackendSpec, Decision, Request
from gateway.settings import Settings
from gateway.taint import TaintMemory, open_taints
from gateway.wiring.places import Places, secret


@dataclass(frozen=True, slots=True)
class Stores:
    audit: JsonlAudit
    cache: OpenedCache
    cache_key: Callable[[Request, Decision, BackendSpec], str]
    taints: TaintMemory

    @property
    def cache_in_use(self) -> OpenedCache | None:
        """None where it is off: then nothing is looked up."""
        return None if self.cache.status()["kind"] == "off" else self.cache


def open_stores(settings: Settings, where: Places, stack: AsyncExitStack, log: Any) -> Stores:
    """`stack` closes them, the log last. Nothing connects yet. Raises ConfigurationError."""
    audit = JsonlAudit.open(where.audit, where.keys, segment_mb=settings.audit.segment_mb)
    stack.push_async_callback(audit.aclose)
    cache_secret = secret(where.keys / "cache.key")
    cache = _open_cache(settings, cache_secret)
    stack.push_async_callback(cache.aclose)
    taints = open_taints(
        settings.taint.url,
        ttl_s=settings.taint.ttl_s,
        secret=secret(where.keys / "taint.key"),
        max_mb=settings.taint.max_mb,
        log=log,
    )
    stack.push_async_callback(taints.aclose)
    return Stores(audit, cache, partial(answer_key, cache_secret), taints)


def _open_cache(settings: Settings, cache_secret: bytes) -> OpenedCache:
    cache = settings.cache
    return open_cache(
        cache.url, ttl_s=cache.ttl_s, secret=cache_secret, share_local=cache.share_local, max_mb=cache.max_mb
    )

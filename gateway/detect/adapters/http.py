"""A detector behind an address: texts go there as JSON, spans come back. Nothing in a request chooses the address.

    POST {"texts": ["…", "…"]}
    200  {"findings": [[{"start": 0, "end": 11, "kind": "person", "confidence": 0.93}], []]}

One list for each text, in their order; `start` and `end` count code points; every kind was declared beforehand.
"""

from __future__ import annotations

import hashlib
import json
import os
import ssl
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from pydantic import BaseModel, ConfigDict, Field

from gateway.core.errors import ConfigurationError
from gateway.core.hosts import is_loopback
from gateway.detect.adapters.options import HttpOptions
from gateway.detect.tier import Span
from gateway.detect.walk import Text

_ANSWER = 8 * 1024 * 1024
"""Bytes of an answer that are read."""
_MODEL = ConfigDict(extra="ignore", frozen=True, strict=True)


class _Found(BaseModel):
    model_config = _MODEL

    start: int = Field(ge=0)
    end: int = Field(ge=0)
    kind: str
    confidence: float = Field(default=1.0, ge=0, le=1)


class _Answer(BaseModel):
    model_config = _MODEL

    findings: list[list[_Found]]


class HttpFinder:
    """One client and its connections. Redirects, cookies and proxies of the environment are not followed."""

    name = "http"

    def __init__(self, options: HttpOptions, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        """Raises ConfigurationError for an address that is neither on this host nor declared."""
        self._url = options.url
        self._kinds = dict(options.kinds)
        self._pack = hashlib.sha256(
            json.dumps([self._url, options.zone, sorted(self._kinds.items())]).encode()
        ).hexdigest()
        key = _key(options, os.environ if environment is None else environment)
        self._client = httpx.AsyncClient(
            verify=_trust(options, folder),
            trust_env=False,
            follow_redirects=False,
            headers={"authorization": f"Bearer {key}"} if key else {},
            timeout=options.deadline_ms / 1000,
        )

    @property
    def pack(self) -> str:
        return self._pack

    @property
    def words(self) -> frozenset[tuple[str, str]]:
        return frozenset(self._kinds.items())

    def pick(self, texts: Sequence[Text]) -> Sequence[Text]:
        return texts

    async def find(self, texts: Sequence[str]) -> Sequence[Sequence[Span]]:
        answer = _Answer.model_validate_json(await self._post(texts))
        return [
            [Span(each.start, each.end, each.kind, self._kinds[each.kind], each.confidence) for each in found]
            for found in answer.findings
        ]

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _post(self, texts: Sequence[str]) -> bytes:
        self._client.cookies.clear()
        async with self._client.stream("POST", self._url, json={"texts": list(texts)}) as response:
            if response.status_code != 200:
                raise ValueError(f"status {response.status_code}")
            body = bytearray()
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > _ANSWER:
                    raise ValueError("an answer of more than 8 MiB")
        return bytes(body)


def _trust(options: HttpOptions, folder: Path) -> ssl.SSLContext | bool:
    """What the connection has to prove, or ConfigurationError where text would leave this host undeclared."""
    try:
        parts = urlsplit(options.url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme not in {"http", "https"} or not host or parts.username or parts.password or parts.fragment:
        raise ConfigurationError("detect.http.url must be an http(s) URL without user and fragment")
    loopback = is_loopback(host)
    if not loopback and options.zone != "private":
        raise ConfigurationError(
            f"detect.http.url {host!r} is not on this host: every request's text would go there. "
            "'zone: private' declares it to be yours"
        )
    if parts.scheme == "http" and not loopback and options.plaintext != "accepted":
        raise ConfigurationError("detect.http: plain http to another host needs 'plaintext: accepted'; use https")
    if options.ca_file is None:
        return True if parts.scheme == "http" else _system()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_verify_locations(cafile=folder / options.ca_file)
    except (OSError, ssl.SSLError):
        raise ConfigurationError(f"detect.http: cannot read certificates from {str(options.ca_file)!r}") from None
    return context


def _system() -> ssl.SSLContext:
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def _key(options: HttpOptions, environment: Mapping[str, str]) -> str:
    if options.api_key_env is None:
        return ""
    key = environment.get(options.api_key_env, "").strip()
    if not key:
        raise ConfigurationError(f"detect.http: the environment variable {options.api_key_env!r} is not set")
    return key

"""A detector behind an address: a real server, its protocol, and where texts may go."""

from __future__ import annotations

import json
import ssl
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from pydantic import ValidationError

from gateway.core.errors import ConfigurationError
from gateway.detect.adapters.http import HttpFinder
from gateway.detect.adapters.options import HttpOptions
from gateway.detect.tier import Span
from tests.support.detectors import DetectorServer, detector_server

pytestmark = pytest.mark.anyio

HERE = Path()


def finder(url: str, *, folder: Path = HERE, environment: dict[str, str] | None = None, **values: Any) -> HttpFinder:
    options = HttpOptions.model_validate({"url": url, "kinds": {"person": "person"}, "deadline_ms": 20_000, **values})
    return HttpFinder(options, folder, environment or {})


async def test_texts_go_there_and_spans_come_back(server: DetectorServer) -> None:
    made = finder(server.url)
    assert await made.find(["ask Mario Rossi", "nobody"]) == [[Span(4, 15, "person", "person", 0.9)], []]
    assert server.bodies == [{"texts": ["ask Mario Rossi", "nobody"]}]
    assert "authorization" not in server.headers[0]
    await made.aclose()


async def test_its_key_comes_from_the_environment(server: DetectorServer) -> None:
    made = finder(server.url, api_key_env="DETECTOR_KEY", environment={"DETECTOR_KEY": "k-1"})
    await made.find(["hello"])
    assert server.headers[0]["authorization"] == "Bearer k-1"
    await made.aclose()


def found(*spans: Any) -> bytes:
    return json.dumps({"findings": [list(spans)]}).encode()


GOOD = {"start": 0, "end": 1, "kind": "person", "confidence": 0.5}


@pytest.mark.parametrize(
    ("status", "answer", "error"),
    [
        pytest.param(200, b"no json", ValidationError, id="no JSON"),
        pytest.param(200, b"{}", ValidationError, id="no findings"),
        pytest.param(200, found({**GOOD, "start": -1}), ValidationError, id="before the beginning"),
        pytest.param(200, found({**GOOD, "start": "0"}), ValidationError, id="a number in quotes"),
        pytest.param(200, found({**GOOD, "confidence": 2}), ValidationError, id="too sure"),
        pytest.param(200, found({**GOOD, "kind": "iban"}), KeyError, id="a kind that was not declared"),
        pytest.param(500, found(), ValueError, id="a server's error"),
        pytest.param(307, found(), ValueError, id="a redirect"),
        pytest.param(200, b" " * 9_000_000, ValueError, id="an endless answer"),
    ],
)
async def test_an_answer_out_of_the_protocol_is_a_failure(
    status: int, answer: bytes, error: type[Exception], server: DetectorServer
) -> None:
    server.answer = lambda _texts: (status, answer)
    made = finder(server.url)
    with pytest.raises(error):
        await made.find(["Mario Rossi"])
    assert len(server.bodies) == 1
    await made.aclose()


async def test_a_server_that_is_not_there_is_a_failure() -> None:
    made = finder("http://127.0.0.1:9/find")
    with pytest.raises(httpx.ConnectError):
        await made.find(["hello"])
    await made.aclose()


async def test_a_server_that_does_not_answer_is_given_up(server: DetectorServer) -> None:
    server.answer = _slowly
    made = finder(server.url, deadline_ms=100)
    with pytest.raises((httpx.TimeoutException, TimeoutError)):
        await made.find(["hello"])
    await made.aclose()


def _slowly(_texts: list[str]) -> tuple[int, bytes]:
    time.sleep(0.5)
    return 200, found()


async def test_a_proxy_of_the_environment_is_not_used(server: DetectorServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    made = finder(server.url)
    assert await made.find(["hello"]) == [[]]
    await made.aclose()


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


async def test_tls_is_checked_against_the_ca_that_is_named(ca: trustme.CA, tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with detector_server(context) as server:
        trusting = finder(server.url, ca_file="ca.pem", folder=tmp_path)
        assert await trusting.find(["hello"]) == [[]]
        await trusting.aclose()
        stranger = finder(server.url)
        with pytest.raises(httpx.ConnectError):
            await stranger.find(["hello"])
        await stranger.aclose()
        assert len(server.bodies) == 1


@pytest.mark.parametrize(
    ("values", "said"),
    [
        pytest.param({"url": "https://pii.example.com/find"}, "not on this host", id="another host"),
        pytest.param({"url": "https://10.0.0.7/find"}, "not on this host", id="a private address"),
        pytest.param({"url": "http://127.0.0.1.example.com/"}, "not on this host", id="a look-alike of loopback"),
        pytest.param({"url": "http://10.0.0.7/find", "zone": "private"}, "plaintext: accepted", id="plain http"),
        pytest.param({"url": "ftp://127.0.0.1/"}, r"http\(s\) URL", id="another scheme"),
        pytest.param({"url": "http://me:pw@127.0.0.1/"}, r"http\(s\) URL", id="a password in it"),
        pytest.param({"url": "http://[::1"}, r"http\(s\) URL", id="no URL"),
        pytest.param({"url": "https://127.0.0.1/", "ca_file": "nowhere.pem"}, "cannot read certificates", id="no CA"),
        pytest.param({"url": "http://127.0.0.1/", "api_key_env": "UNSET_KEY"}, "UNSET_KEY", id="no key"),
    ],
)
def test_an_address_where_texts_must_not_go_is_refused(values: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        finder(**values)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param({"url": "http://localhost:9/"}, id="this host by name"),
        pytest.param({"url": "http://[::1]:9/"}, id="this host in IPv6"),
        pytest.param({"url": "https://pii.example.com/find", "zone": "private"}, id="declared"),
        pytest.param({"url": "http://10.0.0.7/", "zone": "private", "plaintext": "accepted"}, id="declared and plain"),
    ],
)
async def test_an_address_that_is_declared_is_accepted(values: dict[str, Any]) -> None:
    await finder(**values).aclose()


def test_the_pack_tells_the_address_and_the_kinds() -> None:
    packs = {
        finder("http://127.0.0.1:1/").pack,
        finder("http://127.0.0.1:2/").pack,
        finder("http://127.0.0.1:1/", kinds={"person": "person", "iban": "financial"}).pack,
    }
    assert len(packs) == 3

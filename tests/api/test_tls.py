"""Inbound TLS by settings."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import trustme

from tests.api.conftest import settings
from tests.support.capture import CaptureServer
from tests.support.serving import Serving, serving
from tests.support.waiting import PATIENCE_S


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def secured(
    tmp_path_factory: pytest.TempPathFactory, shared_upstream: CaptureServer, authority: trustme.CA
) -> Iterator[Serving]:
    folder = tmp_path_factory.mktemp("secured")
    certificate = authority.issue_cert("127.0.0.1", "localhost")
    certificate.private_key_pem.write_to_path(folder / "key.pem")
    for pem in certificate.cert_chain_pems:
        pem.write_to_path(folder / "cert.pem", append=True)
    # Relative paths start at the configuration's folder.
    config = settings(shared_upstream, server={"tls": {"cert": "cert.pem", "key": "key.pem"}})
    with serving(folder, config, env={"GATEWAY_LOCAL": "canned"}, ready=None) as it:
        it.wait_until_ready(verify=trust(authority))
        yield it


def trust(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_requests_and_streams_are_served_over_tls(
    secured: Serving, authority: trustme.CA, upstream: CaptureServer
) -> None:
    body = {"model": "large", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}
    with httpx.Client(verify=trust(authority), trust_env=False, timeout=PATIENCE_S) as client:
        whole = client.post(f"{secured.base_url}/chat/completions", json=body)
        stream = client.post(f"{secured.base_url}/chat/completions", json=body | {"stream": True})
    assert whole.json()["choices"][0]["message"]["content"] == "Hello."
    assert stream.content.endswith(b"data: [DONE]\n\n")


def test_who_does_not_know_its_authority_does_not_connect(secured: Serving) -> None:
    with httpx.Client(trust_env=False) as client, pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        client.get(f"{secured.url}/healthz")


def test_plain_http_is_not_answered_there(secured: Serving) -> None:
    with httpx.Client(trust_env=False) as client, pytest.raises(httpx.TransportError):
        client.get(secured.url.replace("https", "http") + "/healthz")


def test_a_certificate_that_is_missing_is_one_sentence(tmp_path: Path, shared_upstream: CaptureServer) -> None:
    config = settings(shared_upstream, server={"tls": {"cert": "nowhere.pem", "key": "nowhere.pem"}})
    with serving(tmp_path, config, env={"GATEWAY_LOCAL": "canned"}, ready=None) as it:
        assert it.process.wait(90) == 2
        assert "server.tls: " in it.log()
        assert "Traceback" not in it.log()

"""Where a backend may live."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gateway.backends.endpoint import LOOPBACK, PRIVATE, Proxy, inside, validate_endpoint
from gateway.core.errors import ConfigurationError
from gateway.core.types import Zone


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    path = tmp_path / "ca.pem"
    path.write_text("any")
    return path


ACCEPTED: list[tuple[Zone, str, dict[str, Any]]] = [
    (Zone.REMOTE, "https://api.openai.com/v1", {}),
    (Zone.REMOTE, "https://api.openai.com/v1/", {}),
    (Zone.REMOTE, "http://127.0.0.1:9/v1", {}),
    (Zone.REMOTE, "http://[::1]:9/v1", {}),
    (Zone.REMOTE, "http://localhost:9/v1", {}),
    (Zone.PRIVATE, "http://10.0.0.7:8000/v1", {"plaintext": True}),
    (Zone.PRIVATE, "http://[fd00::1]:8000/v1", {"plaintext": True}),
    (Zone.PRIVATE, "http://vllm.lan:8000/v1", {"plaintext": True}),
    (Zone.PRIVATE, "https://10.0.0.7/v1", {"plaintext": True}),
    (Zone.PRIVATE, "https://vllm.lan/v1", {"ca": True}),
]
REFUSED: list[tuple[Zone, str, dict[str, Any], str]] = [
    (Zone.REMOTE, "http://api.openai.com/v1", {}, "loopback"),
    (Zone.REMOTE, "http://10.0.0.7/v1", {}, "loopback"),
    (Zone.REMOTE, "http://127.0.0.1.evil.com/v1", {}, "loopback"),
    (Zone.REMOTE, "ftp://example.com", {}, "http"),
    (Zone.REMOTE, "api.openai.com/v1", {}, "http"),
    (Zone.REMOTE, "https://", {}, "http"),
    (Zone.REMOTE, "https://host:port/v1", {}, "http"),
    (Zone.REMOTE, "https://user:pa55@host/v1", {}, "user"),
    (Zone.REMOTE, "https://host/v1?key=pa55", {}, "query"),
    (Zone.PRIVATE, "http://10.0.0.7:8000/v1", {}, "plaintext"),
    (Zone.PRIVATE, "https://vllm.lan/v1", {}, "ca_file"),
    (Zone.PRIVATE, "http://vllm.lan/v1", {"ca": True}, "https"),
    (Zone.PRIVATE, "http://8.8.8.8/v1", {"plaintext": True}, "public"),
    (Zone.PRIVATE, "https://8.8.8.8/v1", {"ca": True}, "public"),
    (Zone.PRIVATE, "http://[::ffff:8.8.8.8]/v1", {"plaintext": True}, "public"),
    (Zone.PRIVATE, "http://169.254.169.254/v1", {"plaintext": True}, "public"),
    (Zone.PRIVATE, "https://vllm.lan/v1", {"ca": True, "proxy": "http://p:3128"}, "directly"),
    (Zone.REMOTE, "https://host/v1", {"proxy": "socks5://p:1080"}, "proxy"),
    (Zone.REMOTE, "https://host/v1", {"proxy": "https://u:pa55@p:443"}, "proxy"),
    (Zone.REMOTE, "https://host/v1", {"environment": {"ALL_PROXY": "socks5://u:pa55@p:1080"}}, "HTTPS_PROXY"),
    (Zone.REMOTE, "https://host/v1", {"ca_file": "/nowhere/ca.pem"}, "ca.pem"),
]


def build(zone: Zone, url: str, options: dict[str, Any], ca: Path) -> Any:
    options = {"environment": {}, **options}
    if options.pop("ca", False):
        options["ca_file"] = ca
    return validate_endpoint("it", zone, url, **options)


@pytest.mark.parametrize(("zone", "url", "options"), ACCEPTED)
def test_a_place_within_its_zone_is_accepted(zone: Zone, url: str, options: dict[str, Any], ca: Path) -> None:
    assert build(zone, url, options, ca).url == url.rstrip("/")


@pytest.mark.parametrize(("zone", "url", "options", "reason"), REFUSED)
def test_a_place_outside_its_zone_is_refused(
    zone: Zone, url: str, options: dict[str, Any], reason: str, ca: Path
) -> None:
    with pytest.raises(ConfigurationError, match=reason) as refusal:
        build(zone, url, options, ca)
    assert "'it'" in str(refusal.value)
    assert "pa55" not in str(refusal.value)


def test_a_private_place_trusts_its_named_ca_alone(ca: Path) -> None:
    assert not build(Zone.PRIVATE, "https://vllm.lan/v1", {"ca": True}, ca).system_trust
    assert build(Zone.REMOTE, "https://host/v1", {"ca": True}, ca).system_trust


def test_a_private_place_is_never_reached_through_the_companys_proxy(ca: Path) -> None:
    environment = {"HTTPS_PROXY": "http://p:3128"}
    assert build(Zone.PRIVATE, "https://vllm.lan/v1", {"ca": True, "environment": environment}, ca).proxy is None


@pytest.mark.parametrize("url", ["http://127.0.0.1/v1", "http://localhost/v1"])
def test_plain_http_to_loopback_goes_through_no_proxy(url: str, ca: Path) -> None:
    environment = {"HTTP_PROXY": "http://p:1", "ALL_PROXY": "http://p:1"}
    endpoint = build(Zone.REMOTE, url, {"environment": environment}, ca)
    assert (endpoint.proxy, endpoint.networks) == (None, LOOPBACK)


PROXIES: list[tuple[dict[str, str], str | None, str | None]] = [
    ({}, None, None),
    ({"HTTPS_PROXY": "http://p:3128"}, None, "http://p:3128"),
    ({"https_proxy": "http://low:1", "HTTPS_PROXY": "http://up:2"}, None, "http://low:1"),
    ({"HTTPS_PROXY": "http://up:2", "https_proxy": "http://low:1"}, None, "http://low:1"),
    ({"ALL_PROXY": "http://p:3128"}, None, "http://p:3128"),
    ({"HTTP_PROXY": "http://p:3128"}, None, None),
    ({"HTTPS_PROXY": "p:3128"}, None, "http://p:3128"),
    ({"HTTPS_PROXY": "http://p:3128"}, "direct", None),
    ({"HTTPS_PROXY": "http://p:3128"}, "http://q:1", "http://q:1"),
    ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "*"}, None, None),
    ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "a.b, .openai.com"}, None, None),
    ({"HTTPS_PROXY": "http://p:3128", "no_proxy": "API.openai.com"}, None, None),
    ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "openai.com:443"}, None, None),
    ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": "penai.com"}, None, "http://p:3128"),
    ({"HTTPS_PROXY": "http://p:3128", "NO_PROXY": ""}, None, "http://p:3128"),
]


@pytest.mark.parametrize(("environment", "option", "url"), PROXIES)
def test_the_proxy_is_the_one_that_curl_would_take(
    environment: dict[str, str], option: str | None, url: str | None, ca: Path
) -> None:
    options = {"environment": environment, "proxy": option}
    proxy = build(Zone.REMOTE, "https://api.openai.com/v1", options, ca).proxy
    assert (proxy.url if proxy else None) == url


def test_networks_count_in_no_proxy(ca: Path) -> None:
    environment = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "10.0.0.0/8,x/99"}
    assert build(Zone.REMOTE, "https://10.1.2.3/v1", {"environment": environment}, ca).proxy is None
    assert build(Zone.REMOTE, "https://11.1.2.3/v1", {"environment": environment}, ca).proxy is not None


def test_a_proxys_password_is_decoded_and_not_shown(ca: Path) -> None:
    endpoint = build(Zone.REMOTE, "https://host/v1", {"proxy": "http://me:p%40ss@p:3128"}, ca)
    assert endpoint.proxy == Proxy("http://p:3128", "me", "p@ss")
    assert "p@ss" not in repr(endpoint)


@pytest.mark.parametrize(
    ("address", "private"),
    [
        ("10.255.255.255", True),
        ("172.16.0.1", True),
        ("172.32.0.1", False),
        ("192.168.1.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("fd12::1", True),
        ("fe80::1%eth0", False),
        ("::ffff:10.0.0.1", True),
        ("::ffff:1.1.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("name.lan", False),
    ],
)
def test_private_is_a_short_list(address: str, private: bool) -> None:
    assert inside(address, PRIVATE) is private

"""What HTTP itself asks of a server: paths, methods, sizes, pages of other sites. Errors in OpenAI's shape."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx
import pytest

from tests.support.capture import CaptureServer
from tests.support.serving import Serving
from tests.support.waiting import PATIENCE_S

CHAT = "/v1/chat/completions"
ASK = {"model": "large", "messages": [{"role": "user", "content": "Why is the sky blue?"}]}
MIB = 1_048_576


def call(gateway: Serving, method: str, path: str, **options: Any) -> httpx.Response:
    with httpx.Client(timeout=PATIENCE_S, trust_env=False) as client:
        return client.request(method, gateway.url + path, **options)


@pytest.mark.parametrize("path", [CHAT, CHAT + "/", "/chat/completions", "/chat/completions/"])
def test_chat_is_served_with_and_without_v1_and_a_slash(gateway: Serving, upstream: CaptureServer, path: str) -> None:
    assert call(gateway, "POST", path, json=ASK).json()["choices"][0]["message"]["content"] == "Hello."


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "path", ["/healthz", "/health", "/v1/health/", "/readyz", "/v1/models", "/models/", "/metrics"]
)
def test_pages_are_served_to_get_and_head(gateway: Serving, method: str, path: str) -> None:
    answer = call(gateway, method, path)
    assert answer.status_code == 200
    assert (answer.content == b"") == (method == "HEAD")
    assert int(answer.headers["content-length"]) > 0


def test_a_model_whose_name_has_a_slash_is_found_however_it_is_written(gateway: Serving) -> None:
    for written in ("vendor/gpt-4.1", "vendor%2Fgpt-4.1"):
        assert call(gateway, "GET", f"/v1/models/{written}").json()["id"] == "vendor/gpt-4.1"


# method, path, what is sent → status, code
REFUSED: dict[str, tuple[str, str, dict[str, Any], int, str]] = {
    "an unknown path": ("GET", "/", {}, 404, "unknown_url"),
    "an endpoint that is not here yet": ("POST", "/v1/responses", {"json": {}}, 404, "unknown_url"),
    "embeddings": ("POST", "/v1/embeddings", {"json": {}}, 404, "unknown_url"),
    "Anthropic's endpoint": ("POST", "/v1/messages", {"json": {}}, 404, "unknown_url"),
    "a path like chat": ("POST", "/v1/chat/completions/x", {"json": ASK}, 404, "unknown_url"),
    "v1 twice": ("POST", "/v1/v1/chat/completions", {"json": ASK}, 404, "unknown_url"),
    "GET where POST is meant": ("GET", CHAT, {}, 405, "method_not_allowed"),
    "POST where GET is meant": ("POST", "/v1/models", {"json": {}}, 405, "method_not_allowed"),
    "DELETE of a model": ("DELETE", "/v1/models/large", {}, 405, "method_not_allowed"),
    "no body": ("POST", CHAT, {}, 400, "invalid_json"),
    "half a body": ("POST", CHAT, {"content": b'{"model":'}, 400, "invalid_json"),
    "a list": ("POST", CHAT, {"content": b"[]"}, 400, "invalid_json"),
    "a form": ("POST", CHAT, {"data": {"model": "large"}}, 400, "invalid_json"),
    "Latin-1": ("POST", CHAT, {"content": '{"model":"é"}'.encode("latin-1")}, 400, "invalid_json"),
    "half an emoji": ("POST", CHAT, {"content": b'{"model":"\\ud83d"}'}, 400, "invalid_json"),
    "not a number": ("POST", CHAT, {"content": b'{"temperature":NaN}'}, 400, "invalid_json"),
    "braces without end": ("POST", CHAT, {"content": b'{"a":' * 100_000}, 400, "invalid_json"),
    "lists in lists": (
        "POST",
        CHAT,
        {"content": json.dumps(ASK)[:-1].encode() + b', "metadata": ' + b"[" * 1000 + b"]" * 1000 + b"}"},
        400,
        "invalid_json",
    ),
    "more headers than anybody has": (
        "GET",
        "/healthz",
        {"headers": {f"x-{number}": "1" for number in range(300)}},
        431,
        "headers_too_large",
    ),
    "a field missing": ("POST", CHAT, {"json": {"model": "large"}}, 400, "invalid_value"),
    "a compressed body": (
        "POST",
        CHAT,
        {"content": b"\x1f\x8b", "headers": {"content-encoding": "gzip"}},
        415,
        "unsupported_encoding",
    ),
    "a body over the limit": ("POST", CHAT, {"content": b" " * (MIB + 1)}, 413, "request_too_large"),
    "a zone nobody knows": ("GET", "/readyz?zone=mars", {}, 400, "invalid_value"),
    "a zone left empty": ("GET", "/readyz?zone=", {}, 400, "invalid_value"),
    "a model nobody offers": ("GET", "/v1/models/gpt-9", {}, 404, "model_not_found"),
    "a host name that is not ours": ("GET", "/v1/models", {"headers": {"host": "evil.test"}}, 421, "unknown_host"),
    "another site's page": (
        "POST",
        CHAT,
        {"json": ASK, "headers": {"origin": "https://evil.test"}},
        403,
        "origin_not_allowed",
    ),
    "a sandboxed page": ("POST", CHAT, {"json": ASK, "headers": {"origin": "null"}}, 403, "origin_not_allowed"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_every_error_has_openais_shape(gateway: Serving, upstream: CaptureServer, case: str) -> None:
    method, path, options, status, code = REFUSED[case]
    answer = call(gateway, method, path, **options)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"].startswith("req_")
    assert answer.json().keys() == {"error"}
    error = answer.json()["error"]
    assert error.keys() == {"message", "type", "param", "code"}
    assert error["code"] == code
    assert error["message"]
    assert error["type"]
    assert upstream.requests == []
    if status == 405:
        assert answer.headers["allow"] in {"GET", "POST"}


def test_a_request_is_told_from_others_by_its_id(gateway: Serving) -> None:
    ids = {call(gateway, "GET", "/healthz").headers["x-request-id"] for _ in range(3)}
    assert len(ids) == 3


# ── Sizes ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def parts(size: int) -> Iterator[bytes]:
    """A body that comes without content-length."""
    for _ in range(size // 65536):
        yield b" " * 65536


def test_a_body_without_a_length_is_refused_at_the_limit(gateway: Serving) -> None:
    answer = call(gateway, "POST", CHAT, content=parts(4 * MIB))
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "request_too_large")


def test_a_body_that_does_not_end_is_cut_off(gateway: Serving) -> None:
    taken = 0

    def endless() -> Iterator[bytes]:
        nonlocal taken
        for part in parts(256 * MIB):
            taken += len(part)
            yield part

    with suppress(httpx.TransportError):
        assert call(gateway, "POST", CHAT, content=endless()).status_code == 413
    assert taken < 64 * MIB


def test_a_body_up_to_the_limit_is_read(gateway: Serving, upstream: CaptureServer) -> None:
    raw = json.dumps(ASK | {"model": "local"}).encode()
    answer = call(gateway, "POST", CHAT, content=raw + b" " * (MIB - len(raw)))
    assert answer.status_code == 200


def test_the_limit_holds_before_parsing(gateway: Serving) -> None:
    """A client that announces too much hears of it at once, although not one byte of it is JSON."""
    with socket.create_connection(
        (httpx.URL(gateway.url).host, httpx.URL(gateway.url).port or 0), PATIENCE_S
    ) as connection:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: {2 * MIB}\r\n\r\n".encode()
        connection.sendall(head + b"{" * 2 * MIB)
        assert b" 413 " in connection.recv(100)


def test_a_client_that_asks_first_is_told_to_go_on(gateway: Serving, upstream: CaptureServer) -> None:
    raw = json.dumps(ASK).encode()
    with socket.create_connection(
        (httpx.URL(gateway.url).host, httpx.URL(gateway.url).port or 0), PATIENCE_S
    ) as connection:
        head = f"POST {CHAT} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {len(raw)}\r\nexpect: 100-continue\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(100).startswith(b"HTTP/1.1 100 Continue")
        connection.sendall(raw)
        assert b" 200 OK" in connection.recv(1000)


# ── Pages and host names ────────────────────────────────────────────────────────────────────────────────────────────

PAGES = {
    "https://app.test": True,
    "http://localhost:3000": True,
    "http://127.0.0.1": True,
    "https://[::1]:8443": True,
    "https://evil.test": False,
    "https://localhost.evil.test": False,
    "http://app.test": False,
    "https://app.test:444": False,
    "null": False,
}
STAINLESS = "authorization,content-type,x-stainless-lang,x-stainless-os,x-stainless-retry-count"


@pytest.mark.parametrize(("origin", "admitted"), PAGES.items())
def test_a_page_asks_before_it_calls(gateway: Serving, origin: str, admitted: bool) -> None:
    asking = {
        "origin": origin,
        "access-control-request-method": "POST",
        "access-control-request-headers": STAINLESS,
    }
    answer = call(gateway, "OPTIONS", CHAT, headers=asking)
    if not admitted:
        assert answer.status_code == 403
        assert "access-control-allow-origin" not in answer.headers
        return
    assert answer.status_code == 204
    assert answer.headers["access-control-allow-origin"] == origin
    assert answer.headers["access-control-allow-headers"] == STAINLESS
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert answer.headers["vary"] == "origin"


@pytest.mark.parametrize(
    "case",
    [
        {"json": ASK},
        {"json": ASK | {"stream": True}},
        {"json": ASK | {"model": "gpt-9"}},
        {"content": b"{"},
        {"content": b" " * (MIB + 1)},
    ],
    ids=["answer", "stream", "refusal", "bad body", "too large"],
)
def test_a_page_may_read_every_answer_and_its_headers(
    gateway: Serving, upstream: CaptureServer, case: dict[str, Any]
) -> None:
    answer = call(gateway, "POST", CHAT, headers={"origin": "https://app.test"}, **case)
    assert answer.headers["access-control-allow-origin"] == "https://app.test"
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    told = {name for name in answer.headers if name.startswith("x-") and name != "x-accel-buffering"}
    assert told <= exposed
    assert {"x-request-id", "retry-after", "x-gateway-adapter", "x-gateway-context"} <= exposed


def test_who_is_no_page_gets_no_cors_headers(gateway: Serving) -> None:
    assert not [name for name in call(gateway, "GET", "/v1/models").headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1:1", "[::1]:8080", "LOCALHOST:80", "gateway.test", "Gateway.Test:9"]
)
def test_our_own_host_names_are_served(gateway: Serving, host: str) -> None:
    assert call(gateway, "GET", "/v1/models", headers={"host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.test", "127.0.0.1.evil.test", "localhost.evil.test", "gateway.test.evil", "[::2]"]
)
def test_other_host_names_are_not(gateway: Serving, host: str) -> None:
    assert call(gateway, "GET", "/v1/models", headers={"host": host}).status_code == 421

"""Statuses and known codes, and what the client is told."""

from __future__ import annotations

import time
from email.utils import formatdate
from typing import Any

import pytest

from gateway.backends.failures import from_status, retry_after_s
from gateway.core.errors import BackendBroke, BackendError, BackendRejected, BackendTimeout, ContextTooLong

ROWS: list[tuple[int, str | None, type[Exception], str]] = [
    (400, None, BackendRejected, "upstream_rejected"),
    (404, None, BackendBroke, "upstream_not_found"),
    (413, None, BackendRejected, "upstream_rejected"),
    (422, None, BackendRejected, "upstream_rejected"),
    (400, "unsupported_parameter", BackendRejected, "unsupported_parameter"),
    (400, "my prompt was DE89", BackendRejected, "upstream_rejected"),
    (400, "context_length_exceeded", ContextTooLong, "context_length_exceeded"),
    (400, "exceed_context_size_error", ContextTooLong, "context_length_exceeded"),
    (401, None, BackendBroke, "upstream_auth"),
    (403, "context_length_exceeded", BackendBroke, "upstream_auth"),
    (402, None, BackendError, "upstream_quota"),
    (408, None, BackendTimeout, "upstream_timeout"),
    (409, None, BackendBroke, "upstream_broke"),
    (429, None, BackendError, "upstream_busy"),
    (429, "insufficient_quota", BackendError, "upstream_quota"),
    (500, None, BackendBroke, "upstream_broke"),
    (503, None, BackendBroke, "upstream_broke"),
    (504, None, BackendTimeout, "upstream_timeout"),
    (302, None, BackendBroke, "upstream_broke"),
]


@pytest.mark.parametrize(("status", "code", "kind", "told"), ROWS)
def test_a_status_is_an_error(status: int, code: str | None, kind: type[Exception], told: str) -> None:
    body = {"error": {"message": "you wrote DE89 3704", "code": code, "param": "messages[3].DE89"}}
    error = from_status("large", status, {}, body)
    assert type(error) is kind
    assert error.code == told
    assert "DE89" not in f"{error} {error.param}"
    assert getattr(error, "status", status) == status


@pytest.mark.parametrize(
    ("param", "told"), [("temperature", "temperature"), ("DE89", None), (["x"], None), (None, None)]
)
def test_only_a_field_we_know_is_named(param: Any, told: str | None) -> None:
    assert from_status("large", 400, {}, {"error": {"param": param}}).param == told


@pytest.mark.parametrize("body", [None, [], "x", {"error": "text"}, {"error": None}, {"detail": []}])
def test_a_body_of_any_shape_will_do(body: Any) -> None:
    assert isinstance(from_status("large", 400, {}, body), BackendRejected)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": formatdate(time.time() - 60, usegmt=True)}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "nan"}, None),
        ({"retry-after-ms": "1e308"}, 86_400.0),
        ({"retry-after": "Fri, 31 Dec 9999 23:59:59 GMT"}, 86_400.0),
        ({}, None),
    ],
)
def test_when_to_come_back(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers) == seconds


def test_a_date_in_the_future_is_seconds_from_now() -> None:
    told = retry_after_s({"retry-after": formatdate(time.time() + 60, usegmt=True)})
    assert told is not None
    assert 55 < told <= 60


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_upstream_says_when_to_come_back(status: int) -> None:
    assert from_status("large", status, {"retry-after": "3"}, None).retry_after_s == 3.0

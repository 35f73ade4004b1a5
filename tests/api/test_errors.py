"""Every error has a status, OpenAI's shape and the headers that steer clients; none says what it must not."""

from __future__ import annotations

import pytest

from gateway.api.errors import HTTPError, describe, event
from gateway.core import errors as e

# error → status, type, code, should it be tried again, seconds to wait
TABLE: dict[str, tuple[Exception, int, str, str | None, str | None, str | None]] = {
    "BadRequest": (e.BadRequest("x", param="n"), 400, "invalid_request_error", "invalid_value", "false", None),
    "UnknownModel": (e.UnknownModel("x"), 404, "invalid_request_error", "model_not_found", "false", None),
    "ContextTooLong": (e.ContextTooLong("x"), 400, "invalid_request_error", "context_length_exceeded", "false", None),
    "Unsupported": (e.Unsupported("x"), 400, "invalid_request_error", "unsupported_parameter", "false", None),
    "Refused": (e.Refused("x"), 403, "policy_error", None, "false", None),
    "EgressDenied": (e.EgressDenied("x"), 403, "policy_error", "egress_denied", "false", None),
    "NotPermitted": (e.NotPermitted("x"), 403, "policy_error", "model_not_permitted", "false", None),
    "UnsupportedContent": (
        e.UnsupportedContent("x"),
        400,
        "invalid_request_error",
        "unsupported_content",
        "false",
        None,
    ),
    "LocalModelUnfit": (e.LocalModelUnfit("x"), 400, "invalid_request_error", "local_model_unfit", "false", None),
    "Unavailable": (e.Unavailable("x", retry_after_s=1.2), 503, "service_unavailable_error", None, None, "2"),
    "LocalUnavailable": (e.LocalUnavailable("x"), 503, "service_unavailable_error", "local_unavailable", None, "5"),
    "AuditUnavailable": (e.AuditUnavailable("x"), 503, "service_unavailable_error", "audit_unavailable", None, "5"),
    "PrivateUnavailable": (
        e.PrivateUnavailable("x"),
        503,
        "service_unavailable_error",
        "private_unavailable",
        None,
        "5",
    ),
    "QueueFull": (e.QueueFull("x", retry_after_s=0.1), 429, "rate_limit_error", "queue_full", None, "1"),
    "DeadlineExceeded": (
        e.DeadlineExceeded("x", retry_after_s=7.5),
        504,
        "service_unavailable_error",
        "deadline_exceeded",
        None,
        "8",
    ),
    "BackendError": (e.BackendError("x"), 502, "upstream_error", "upstream_error", None, None),
    "BackendError 429": (
        e.BackendError("x", status=429, retry_after_s=9, code="upstream_busy"),
        429,
        "rate_limit_error",
        "upstream_busy",
        None,
        "9",
    ),
    "used-up quota": (
        e.BackendError("x", status=402, code="upstream_quota"),
        502,
        "upstream_error",
        "upstream_quota",
        "false",
        None,
    ),
    "BackendUnreachable": (e.BackendUnreachable("x"), 502, "upstream_error", "upstream_unreachable", None, None),
    "BackendTimeout": (e.BackendTimeout("x"), 504, "upstream_error", "upstream_timeout", None, None),
    "BackendRejected": (e.BackendRejected("x"), 400, "invalid_request_error", "upstream_rejected", "false", None),
    "BackendBroke": (e.BackendBroke("x", status=503), 502, "upstream_error", "upstream_broke", None, None),
    "ConfigurationError": (e.ConfigurationError("x"), 500, "server_error", "internal_error", None, None),
    "anything else": (ValueError("the secret"), 500, "server_error", "internal_error", None, None),
    "HTTPError": (
        HTTPError(405, "x", code="method_not_allowed", allow="GET"),
        405,
        "invalid_request_error",
        "method_not_allowed",
        None,
        None,
    ),
    "HTTPError 421": (
        HTTPError(421, "x", code="unknown_host"),
        421,
        "invalid_request_error",
        "unknown_host",
        None,
        None,
    ),
}


@pytest.mark.parametrize("case", TABLE)
def test_an_error_is_told_like_this(case: str) -> None:
    error, status, kind, code, retry, wait = TABLE[case]
    got, body, headers = describe(error)
    assert got == status
    inner = body["error"]
    assert inner.keys() == {"message", "type", "param", "code"}
    assert (inner["type"], inner["code"]) == (kind, code)
    assert headers.get("x-should-retry") == retry
    assert headers.get("retry-after") == wait


def test_every_class_of_the_tree_is_in_the_table() -> None:
    def family(kind: type[Exception]) -> set[str]:
        return {kind.__name__}.union(*(family(child) for child in kind.__subclasses__()))

    assert family(e.GatewayError) - {"GatewayError"} <= TABLE.keys()


def test_what_is_not_ours_tells_nothing_of_itself() -> None:
    error = ValueError("the secret")
    error.add_note("another secret")
    assert b"secret" not in event(error)
    assert "secret" not in str(describe(error))


def test_an_event_ends_like_any_other() -> None:
    raw = event(e.BackendBroke("the backend broke"))
    assert raw.startswith(b'data: {"error":{"message":"the backend broke"')
    assert raw.endswith(b"}\n\n")
    assert raw.count(b"\n") == 2

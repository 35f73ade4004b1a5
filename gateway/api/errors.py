"""One table that turns errors into OpenAI's error shape: status, type, code, headers."""

from __future__ import annotations

import math

import orjson

from gateway.core import errors as e
from gateway.core.types import Json

_TABLE: dict[type[Exception], tuple[int, str, str | None]] = {
    e.BadRequest: (400, "invalid_request_error", "invalid_value"),
    e.UnknownModel: (404, "invalid_request_error", None),
    e.Refused: (403, "policy_error", None),
    e.UnsupportedContent: (400, "invalid_request_error", None),
    e.LocalModelUnfit: (400, "invalid_request_error", None),
    e.Unavailable: (503, "service_unavailable_error", None),
    e.QueueFull: (429, "rate_limit_error", None),
    e.DeadlineExceeded: (504, "service_unavailable_error", None),
    e.BackendError: (502, "upstream_error", None),
    e.BackendTimeout: (504, "upstream_error", None),
    e.BackendRejected: (400, "invalid_request_error", None),
    e.GatewayError: (500, "server_error", "internal_error"),
    Exception: (500, "server_error", "internal_error"),
}

_STATUS_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    408: "invalid_request_error",
    413: "invalid_request_error",
    415: "invalid_request_error",
    421: "invalid_request_error",
    431: "invalid_request_error",
}


class HTTPError(Exception):
    """A failure that only HTTP knows: a bad key, an unknown path, a body that is too large."""

    def __init__(self, status: int, message: str, *, code: str, param: str | None = None, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.param = param
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def describe(error: Exception) -> tuple[int, dict[str, Json], dict[str, str]]:
    """(status, body, headers) for any exception. What is not ours is a 500 that tells nothing of itself."""
    if isinstance(error, HTTPError):
        body = {
            "message": str(error),
            "type": _STATUS_TYPES.get(error.status, "server_error"),
            "param": error.param,
            "code": error.code,
        }
        return error.status, {"error": body}, error.headers
    status, kind, code = next(_TABLE[cls] for cls in type(error).__mro__ if cls in _TABLE)
    if not isinstance(error, e.GatewayError):
        message, param = "the gateway failed inside; the operator's log has the request id", None
    else:
        message, param, code = str(error), error.param, error.code or code
    if isinstance(error, e.BackendError):
        status, kind = _upstream_status(error, status, kind)
    return (
        status,
        {"error": {"message": message, "type": kind, "param": param, "code": code}},
        _headers(error, status),
    )


def _upstream_status(error: e.BackendError, status: int, kind: str) -> tuple[int, str]:
    """An upstream's 429 is passed on as one, so that clients back off; everything else is as the table says."""
    return (429, "rate_limit_error") if error.status == 429 else (status, kind)


_POINTLESS = frozenset({"upstream_auth", "upstream_not_found", "upstream_quota"})
"""Codes of failures that the operator has to mend, whatever their status says to clients."""


def _headers(error: Exception, status: int) -> dict[str, str]:
    headers: dict[str, str] = {}
    if status < 429 or isinstance(error, e.Refused) or getattr(error, "code", None) in _POINTLESS:
        headers["x-should-retry"] = "false"  # clients would send the same request, and leave the same records, thrice
    if isinstance(error, e.GatewayError) and error.retry_after_s is not None and status in {429, 502, 503, 504}:
        headers["retry-after"] = str(max(1, math.ceil(error.retry_after_s)))
    return headers


def event(error: Exception) -> bytes:
    """The error as the last event of a stream that has begun. No `[DONE]` follows."""
    _, body, _ = describe(error)
    return b"data: " + orjson.dumps(body) + b"\n\n"

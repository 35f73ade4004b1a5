"""An upstream's failure in the gateway's words, told by status and by a short list of known codes.

An upstream's prose may echo the prompt, so nobody reads it and it goes no further.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from gateway.backends.fields import SENT
from gateway.core.errors import (
    BackendBroke,
    BackendError,
    BackendRejected,
    BackendTimeout,
    ContextTooLong,
    GatewayError,
)
from gateway.core.types import Json

_TOO_LONG = frozenset({"context_length_exceeded", "exceed_context_size_error", "string_above_max_length"})
_KNOWN = frozenset(
    {
        "content_filter", "content_policy_violation", "invalid_image_format", "invalid_value", "model_not_found",
        "unsupported_parameter", "unsupported_value", "unknown_parameter", "image_too_large", "invalid_type",
    }
)  # fmt: skip
_PARAMS = SENT | {"model", "stream"}
_AUTH = frozenset({401, 403})
LONGEST_S = 86_400.0
"""What an upstream says here is told to clients, who may believe it."""
_LATE = frozenset({408, 504, 524})
_QUOTA = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


def from_status(backend: str, status: int, headers: Mapping[str, str], body: Json) -> GatewayError:
    """The error for an answer that is not 2xx. `body` is its parsed JSON, or None."""
    code, param = _words(body)
    said = f"backend {backend!r} answered {status}"
    if status in _AUTH:
        # Not the client's key: a 401 of ours would send its user looking in the wrong place.
        return BackendBroke(f"{said}: it does not accept the gateway's key", status=status, code="upstream_auth")
    if status in _LATE:
        return BackendTimeout(said, status=status)
    if status == 402 or code in _QUOTA:
        return BackendError(f"{said}: its quota is used up", status=status, code="upstream_quota")
    if status == 429:
        return BackendError(
            f"{said}: it is busy", status=status, retry_after_s=retry_after_s(headers), code="upstream_busy"
        )
    if code in _TOO_LONG:
        return ContextTooLong(f"backend {backend!r} cannot hold that many tokens")
    if status == 404:
        # The client named nothing that this upstream sees but its text: what is unknown is the operator's entry.
        told = f"{said}: correct its base_url or model"
        return BackendBroke(told, status=status, code="upstream_not_found")
    if 400 <= status < 500 and status not in {409, 425}:
        return BackendRejected(f"{said}: it does not accept the request", status=status, param=param, code=code)
    if 300 <= status < 400:
        return BackendBroke(f"{said}: redirects are not followed; correct its base_url", status=status)
    return BackendBroke(said, status=status, retry_after_s=retry_after_s(headers))


def from_stream(backend: str, event: Mapping[str, Json]) -> GatewayError:
    """The error for an error object inside a stream whose status was 200."""
    error = event.get("error")
    inner = error if isinstance(error, Mapping) else event
    for name in ("code", "status", "http_status"):
        status = _status(inner.get(name))
        if status is not None:
            return from_status(backend, status, {}, {"error": inner})
    code, _ = _words({"error": inner})
    if code in _TOO_LONG:
        return ContextTooLong(f"backend {backend!r} cannot hold that many tokens")
    return BackendBroke(f"backend {backend!r} reported an error in the middle of its answer")


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds from `retry-after-ms` or `retry-after`, the latter in seconds or as a date; a day at most."""
    told = _told(headers)
    return None if told is None else min(told, LONGEST_S)


def _told(headers: Mapping[str, str]) -> float | None:
    if (ms := _number(headers.get("retry-after-ms"))) is not None:
        return ms / 1000
    text = headers.get("retry-after")
    if (seconds := _number(text)) is not None:
        return seconds
    try:
        return max(0.0, parsedate_to_datetime(text or "").timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) and value >= 0 else None


def _status(value: Json) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        value = int(value[:4])
    return value if isinstance(value, int) and not isinstance(value, bool) and 400 <= value < 600 else None


def _words(body: Json) -> tuple[str | None, str | None]:
    """The error's code and param where they are words we know, else None: unknown ones may hold anything."""
    error = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(error, Mapping):
        return None, None
    known = _KNOWN | _TOO_LONG | _QUOTA
    code = next((word for name in ("code", "type") if isinstance(word := error.get(name), str) and word in known), None)
    param = error.get("param")
    return code, param if isinstance(param, str) and param in _PARAMS else None

"""Which web pages may call: loopback pages always, others by setting, any page where a key is needed anyway."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gateway.api.http import Headers

_LOOPBACK = re.compile(rb"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?")
_EXPOSED = (
    b"x-request-id, x-gateway-zone, x-gateway-backend, x-gateway-rule, x-gateway-cache, x-gateway-notice, "
    b"x-gateway-dropped, x-gateway-adapter, x-gateway-context, x-gateway-transform, retry-after, x-should-retry"
)


class Cors:
    """`origins=None` admits every origin: fit where each request must carry a key, which a page cannot borrow."""

    def __init__(self, origins: Sequence[str] | None) -> None:
        self._origins = None if origins is None or "*" in origins else {origin.encode() for origin in origins}

    def admits(self, origin: bytes) -> bool:
        return self._origins is None or origin in self._origins or _LOOPBACK.fullmatch(origin) is not None

    def headers(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        """What an answer to this request carries. No origin, or one not admitted: nothing."""
        origin = headers.get(b"origin")
        if origin is None or not self.admits(origin):
            return []
        return [
            (b"access-control-allow-origin", origin),
            (b"access-control-expose-headers", _EXPOSED),
            (b"vary", b"origin"),
        ]

    def preflight(self, headers: Headers) -> list[tuple[bytes, bytes]]:
        """What an OPTIONS answer carries: the headers asked for (x-stainless-… among them) are granted as asked."""
        granted = self.headers(headers)
        if not granted:
            return []
        wanted = headers.get(b"access-control-request-headers", b"authorization, content-type")
        return [
            *granted,
            (b"access-control-allow-methods", b"GET, POST, OPTIONS"),
            (b"access-control-allow-headers", wanted),
            (b"access-control-max-age", b"600"),
        ]

"""Marked words, the disguises they may come to light in, and a client that keeps what it should not have been told."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import urllib.parse
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support.serving import Serving


def mark(place: str) -> str:
    """A word that stands nowhere else, plain enough for a field's name."""
    return f"zq{hashlib.sha256(place.encode()).hexdigest()[:10]}vx"


def disguises(value: str) -> dict[str, bytes]:
    raw = value.encode()
    forms = {"as it is": raw, "hex": binascii.hexlify(raw), "reversed": raw[::-1]}
    forms["JSON"] = json.dumps(value)[1:-1].encode()
    forms["URL"] = urllib.parse.quote(value).encode()
    for shift in range(3):  # base64 says the same in three ways, as it comes to stand
        code = base64.b64encode(b"\0" * shift + raw)
        forms[f"base64 +{shift}"] = code[(shift and shift + 1) : -4]
    return forms


@dataclass
class Found:
    """What the gateway let out: sinks by name. Answers are not among them, refusals are."""

    sinks: dict[str, bytes] = field(default_factory=dict)

    def places(self, value: str) -> list[str]:
        forms = disguises(value)
        return [
            f"{name} ({how})"
            for name, content in self.sinks.items()
            for how, form in forms.items()
            if form.lower() in content.lower()
        ]


_TOLD_BACK = {"x-gateway-dropped", "access-control-allow-origin"}
"""Headers whose purpose is to repeat the client's own words to it."""


class Asker:
    """Sends requests and keeps what came back on refusals and, from all answers, the headers."""

    def __init__(self, gateway: Serving, found: Found, key: str) -> None:
        self._gateway = gateway
        self._found = found
        self._key = key
        self._number = 0
        self.statuses: list[int] = []
        self.told: list[bytes] = []
        """What was kept on purpose, though it is a success."""

    def __call__(self, method: str, path: str, *, keep: bool = True, **options: Any) -> httpx.Response:
        self._number += 1
        headers = {"authorization": f"Bearer {self._key}", **options.pop("headers", {})}
        with httpx.Client(timeout=60, trust_env=False) as client:
            answer = client.request(method, self._gateway.url + path, headers=headers, **options)
        self.statuses.append(answer.status_code)
        name = f"{method} {path[:20]} no. {self._number} → {answer.status_code}"
        if keep:
            told = {key: value for key, value in answer.headers.items() if key not in _TOLD_BACK}
            self._found.sinks[f"headers of {name}"] = json.dumps(told).encode()
            text = answer.content if answer.status_code != 200 else b"".join(_error_events(answer.content))
            self._found.sinks[f"body of {name}"] = text
        return answer

    def chat(self, body: dict[str, Any] | bytes, **options: Any) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps({"model": "auto", **body}).encode()
        return self("POST", "/v1/chat/completions", content=content, **options)


def _error_events(content: bytes) -> list[bytes]:
    return [line for line in content.splitlines() if line.startswith(b'data: {"error"')]

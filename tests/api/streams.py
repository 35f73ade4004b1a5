"""Reading an answer's bytes the way a strict client would."""

from __future__ import annotations

import json
from typing import Any

import httpx

from tests.support.serving import Serving


def streamed(gateway: Serving, model: str = "large", **more: Any) -> httpx.Response:
    return gateway.ask("Why is the sky blue?", model=model, stream=True, **more)


def data_of(raw: bytes) -> list[bytes]:
    """The data of each event. Comments are left out; anything else that is not `data: …` and a blank line fails."""
    assert raw.endswith(b"\n\n")
    blocks = [block for block in raw.split(b"\n\n")[:-1] if not block.startswith(b":")]
    assert all(block.startswith(b"data: ") and b"\n" not in block for block in blocks), raw
    return [block.removeprefix(b"data: ") for block in blocks]


def chunks_of(response: httpx.Response) -> list[dict[str, Any]]:
    """The chunks of a stream that ended as it should."""
    assert response.status_code == 200, response.text
    *chunks, last = data_of(response.content)
    assert last == b"[DONE]"
    return [json.loads(chunk) for chunk in chunks]


def deltas_of(chunks: list[dict[str, Any]], index: int = 0) -> list[dict[str, Any]]:
    return [choice["delta"] for chunk in chunks for choice in chunk["choices"] if choice["index"] == index]


def text_of(chunks: list[dict[str, Any]], index: int = 0) -> str:
    return "".join(delta.get("content") or "" for delta in deltas_of(chunks, index))

"""Reads what left as somebody would who looks for values in it: every string, every key, every encoding opened."""

from __future__ import annotations

import base64
import binascii
import json
import re
import urllib.parse
from collections.abc import Iterator

from gateway.core.types import Json

_RUN = re.compile(r"[A-Za-z0-9+/_-]{12,}={0,2}")
_HEX = re.compile(r"(?:[0-9a-fA-F]{2}){6,}")
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_TO_STANDARD = str.maketrans("-_", "+/")
_DEPTH = 4


def strings(node: Json, *, decoded: bool = False) -> Iterator[str]:
    """Every string, key and number, in order; with `decoded` also what is encoded in them."""
    if isinstance(node, str):
        yield node
        if decoded:
            yield from _inside(node, _DEPTH)
    elif isinstance(node, dict):
        for key, value in node.items():
            yield from strings(key, decoded=decoded)
            yield from strings(value, decoded=decoded)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value, decoded=decoded)
    elif isinstance(node, int | float) and not isinstance(node, bool):
        yield str(node)


def said(payload: Json) -> str:
    """The texts of all messages without a break, as a reader of the conversation sees them."""
    contents = [message.get("content") for message in payload.get("messages", ())]
    parts = [part for content in contents for part in (content if isinstance(content, list) else [{"text": content}])]
    return "".join(str(part.get("text") or "") for part in parts)


def _inside(text: str, depth: int) -> Iterator[str]:
    """A text's other readings, and theirs."""
    if not depth:
        return
    for reading in _readings(text):
        if reading and reading != text:
            yield reading
            yield from _inside(reading, depth - 1)


def _readings(text: str) -> Iterator[str]:
    yield _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    yield urllib.parse.unquote(text) if "%" in text else ""
    yield _from_json(text)
    for run in _HEX.findall(text):
        yield bytes.fromhex(run).decode("utf-8", "ignore")
    for run in _RUN.findall(text):
        bare = run.rstrip("=").translate(_TO_STANDARD)
        try:
            yield base64.b64decode(bare + "=" * (-len(bare) % 4)).decode("utf-8", "ignore")
        except (binascii.Error, ValueError):
            continue


def _from_json(text: str) -> str:
    if text[:1] not in ("{", "[", '"'):
        return ""
    try:
        return " ".join(strings(json.loads(text)))
    except (ValueError, RecursionError):
        return ""

"""One line of the audit log: how a record becomes bytes, and what chains it to the line before.

    {"v":1,"seq":7,"ts":…,"event":…,"request_id":…,"tenant":…,"subject":…,"hmac":…,"facts":{…},"prev":…}

`prev` is the SHA-256 of the previous line's bytes, newline excluded. Whoever has the bytes can check the chain without
knowing anything about JSON, so there is no canonical form that two programs could disagree about.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import NamedTuple

import orjson

from gateway.core.types import Json

SCHEMA = 1
NO_PREVIOUS = "0" * 64
"""`prev` of the first record of a log."""
LINE_LIMIT = 16 * 1024 * 1024
"""Longest line in bytes: what a verifier must be able to hold in memory."""


class Members(NamedTuple):
    """What a record says before it has its place in the chain."""

    ts: str
    event: str
    request_id: str | None
    tenant: str | None
    subject: str | None
    hmac: str | None
    facts: Mapping[str, Json]


class Link(NamedTuple):
    """The two members of a line that put it in its place."""

    seq: int
    prev: str


def canonical_request(body: Mapping[str, Json]) -> bytes:
    """The request as bytes that do not depend on key order or spacing, for the keyed HMAC and nothing else."""
    try:
        return orjson.dumps(body, default=_plain, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:
        # Lone surrogates and integers beyond 64 bits are legal in JSON text and unknown to orjson.
        return json.dumps(body, default=_plain, sort_keys=True, separators=(",", ":")).encode()


def encode(members: Members) -> bytes:
    """The middle of a line, everything between `seq` and `prev`. Raises ValueError for facts JSON cannot carry."""
    try:
        encoded = orjson.dumps(members._asdict(), default=_plain)
    except orjson.JSONEncodeError:
        # Not chained: the cause may quote a value.
        raise ValueError(f"the facts of a {members.event!r} record hold a value that JSON cannot carry") from None
    if len(encoded) > LINE_LIMIT - 256:
        raise ValueError(f"a {members.event!r} record of {len(encoded)} bytes is over the limit of {LINE_LIMIT}")
    return encoded[1:-1]


def line(seq: int, encoded: bytes, prev: str) -> bytes:
    """The whole line without its newline."""
    return b'{"v":%d,"seq":%d,%b,"prev":"%b"}' % (SCHEMA, seq, encoded, prev.encode())


def digest(raw: bytes) -> str:
    return hashlib.sha256(raw).hexdigest()


def link(raw: bytes) -> Link | None:
    """Where a line says it belongs, or None for something that is not a record."""
    try:
        members = orjson.loads(raw)
        seq, prev = members["seq"], members["prev"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return Link(seq, prev) if type(seq) is int and type(prev) is str else None


def stamp(seconds: float) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")[:-6] + "Z"


def _plain(value: object) -> Json:
    """Containers that orjson does not know. Anything else is refused: `str()` of an object could hold text."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, AbstractSet):
        return sorted(value)
    raise TypeError

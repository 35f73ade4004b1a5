"""The signed head: how far the log goes and what its last line hashes to, renewed with every commit.

One JSON object, padded to one disk sector and overwritten in place: a reader, a killed process and a power cut see
either the old head or the new one, a full disk cannot refuse it, and it costs a hundredth of a rename. The signature is
over the object without its last member, that is `{…,"ts":"…"}`.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import orjson

from gateway.audit.keys import Keys, PublicKey

NAME = "head"
SIZE = 512
_SEAM = b',"signature":"'


@dataclass(frozen=True, slots=True)
class Head:
    """What the gateway signs."""

    seq: int
    digest: str
    """SHA-256 of the last line."""
    segment: str
    """Name of the segment that holds the last line."""
    length: int
    """Bytes of that segment up to and with the last line, so that a start need not read it all."""
    ts: str

    def body(self) -> bytes:
        return b'{"v":1,"seq":%d,"digest":"%b","segment":"%b","bytes":%d,"ts":"%b"}' % (
            self.seq,
            self.digest.encode(),
            self.segment.encode(),
            self.length,
            self.ts.encode(),
        )


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head as read, not yet believed."""

    head: Head
    message: bytes
    signature: bytes

    def signed_by(self, key: PublicKey) -> bool:
        return key.signed(self.message, self.signature)


def seal(head: Head, keys: Keys) -> bytes:
    body = head.body()
    return _join(body, keys.sign(body)).ljust(SIZE - 1) + b"\n"


def parse(raw: bytes) -> SignedHead | None:
    """A head out of its file's bytes, or None for something else."""
    body, _, rest = raw.rstrip().partition(_SEAM)
    message = body + b"}"
    try:
        members = orjson.loads(message)
        signature = base64.b64decode(rest.removesuffix(b'"}'), validate=True)
        head = Head(members["seq"], members["digest"], members["segment"], members["bytes"], members["ts"])
    except (orjson.JSONDecodeError, KeyError, TypeError, binascii.Error):
        return None
    texts = (head.digest, head.segment, head.ts)
    sound = type(head.seq) is int and type(head.length) is int and all(type(text) is str for text in texts)
    # Base64 has several spellings of the same bytes; one of them is ours.
    return SignedHead(head, message, signature) if sound and raw.rstrip() == _join(message, signature) else None


def _join(body: bytes, signature: bytes) -> bytes:
    return body[:-1] + _SEAM + base64.b64encode(signature) + b'"}'

"""One thing remembered, keyed to one subject of one tenant, and its bytes for a store that others can look into."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
import orjson

from gateway.taint.origin import Origin
from gateway.taint.prints import Prints

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose memory it is. Everything about it is derived from the secret, the tenant and the subject."""

    tenant: str
    name: str
    """Stands in a store's keys: says neither tenant nor subject."""
    key: bytes = field(repr=False)
    mix: int = field(repr=False)
    """What makes fingerprints this owner's own."""

    @classmethod
    def of(cls, secret: bytes, tenant: str, subject: str) -> Owner:
        who = orjson.dumps([tenant, subject])
        derived = hashlib.blake2b(who, key=hashlib.sha256(secret).digest(), person=b"slmgw taint").digest()
        return cls(tenant, derived[:16].hex(), derived[16:48], int.from_bytes(derived[48:56], "little"))

    def digest(self, kind: bytes, data: bytes) -> bytes:
        """A keyed hash of `data`; of another kind, or for another owner, the same data has another one."""
        return hashlib.blake2b(data, digest_size=16, key=self.key, person=kind).digest()


@dataclass(frozen=True, slots=True)
class Entry:
    """A text, a tool call, a tool call's id or a conversation, and what it was made from."""

    id: bytes
    """Keyed hash of the whole of it. Remembered twice it is one entry with both origins."""
    origin: Origin
    expires_at: float
    letters: int = 0
    """Letters and digits in the text; 0 for what is recognised by its id alone."""
    needed: int = 0
    """How many of its fingerprints make a copy; 0 = only the whole of it counts."""
    prints: Prints = field(default_factory=lambda: np.empty(0, np.uint64), repr=False)

    def joined(self, other: Entry) -> Entry:
        """Both of them; they have the same id, so the same text."""
        return Entry(
            self.id,
            self.origin.joined(other.origin),
            max(self.expires_at, other.expires_at),
            self.letters,
            self.needed,
            self.prints,
        )

    def to_bytes(self) -> bytes:
        head = orjson.dumps([_FORMAT, self.id.hex(), self.origin.to_json(), self.expires_at, self.letters, self.needed])
        return len(head).to_bytes(4, "little") + head + self.prints.astype("<u8").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Entry:
        """Raises ValueError, without a word of the data, for anything that `to_bytes` did not make."""
        size = int.from_bytes(data[:4], "little")
        try:
            form, name, origin, expires_at, letters, needed = orjson.loads(data[4 : 4 + size])
            if form == _FORMAT:
                prints = np.frombuffer(data[4 + size :], dtype="<u8").astype(np.uint64)
                # fmt: off
                return cls(bytes.fromhex(name), Origin.from_json(origin), float(expires_at), int(letters),
                           int(needed), prints)
                # fmt: on
        except (ValueError, TypeError):
            pass
        raise ValueError(f"not an entry in format {_FORMAT}")

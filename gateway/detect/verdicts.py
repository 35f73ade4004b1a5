"""What was found in strings of earlier requests, so that a long conversation costs only its new turn.

A string is known by a keyed hash whose key is this process's own; what is kept of it are kinds and offsets.
"""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from hashlib import blake2b

from gateway.detect.hits import Hit

ENTRIES = 20_000
_HITS = 40_000
"""Findings kept in all: some 300 bytes each."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found in one string, and why a part of it could not be read. Spans and hashes, no text."""

    hits: tuple[Hit, ...] = ()
    reasons: tuple[str, ...] = ()


NOTHING = Verdict()


class Verdicts:
    """The last so many verdicts. Shared by every request and thread."""

    def __init__(self, entries: int = ENTRIES) -> None:
        self._entries = entries
        self._key = secrets.token_bytes(32)
        self._kept: OrderedDict[bytes, Verdict] = OrderedDict()
        self._hits = 0
        self._lock = threading.Lock()

    def name(self, *parts: str) -> bytes:
        """What a verdict is kept under: everything that it depends on."""
        digest = blake2b(key=self._key, digest_size=16)
        for part in parts:
            written = part.encode("utf-8", "surrogatepass")
            digest.update(len(written).to_bytes(8))
            digest.update(written)
        return digest.digest()

    def get(self, name: bytes) -> Verdict | None:
        with self._lock:
            verdict = self._kept.get(name)
            if verdict is not None:
                self._kept.move_to_end(name)
            return verdict

    def put(self, name: bytes, verdict: Verdict) -> None:
        if len(verdict.hits) > _HITS // 10:
            return  # one text would drive out everybody else's
        with self._lock:
            earlier = self._kept.pop(name, NOTHING)
            self._kept[name] = verdict
            self._hits += len(verdict.hits) - len(earlier.hits)
            while len(self._kept) > self._entries or self._hits > _HITS:
                _, oldest = self._kept.popitem(last=False)
                self._hits -= len(oldest.hits)

    def __len__(self) -> int:
        return len(self._kept)

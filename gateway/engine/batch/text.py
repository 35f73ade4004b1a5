"""From token bytes to text that may be sent: whole characters alone, and nothing that may yet become a stop string."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class _Token:
    start: int
    end: int
    logprob: Any


class Held:
    """Holds the tail of an answer back until it is safe to send.

    Bytes, not characters: a token may end inside a character, and a stop string in UTF-8 can only match at a
    character's border, so the search needs no decoding.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop.encode() for stop in stops]
        self._longest = max((len(stop) for stop in self._stops), default=0)
        self._bytes = bytearray()
        self._sent = 0
        self._tokens: list[_Token] = []
        self.stopped = False

    def add(self, piece: bytes, logprob: Any = None) -> tuple[str, list[Any]]:
        """Take a token's bytes; return the text that may go now and the log-probabilities of its tokens."""
        before = len(self._bytes)
        self._bytes += piece
        if logprob is not None:
            self._tokens.append(_Token(before, len(self._bytes), logprob))
        # A stop string that ends in this piece may have begun in an earlier one, but never in text already sent.
        hits = [at for stop in self._stops if (at := self._bytes.find(stop, self._sent)) >= 0]
        if hits:
            self.stopped = True
            del self._bytes[min(hits) :]
            return self._send(len(self._bytes), last=True)
        return self._send(self._safe(), last=False)

    def rest(self) -> tuple[str, list[Any]]:
        """Everything held back, at the end of the answer. A torn last character becomes U+FFFD."""
        return self._send(len(self._bytes), last=True)

    def _safe(self) -> int:
        end = len(self._bytes)
        tail = bytes(self._bytes[max(self._sent, end - self._longest + 1) :]) if self._longest else b""
        for size in range(len(tail), 0, -1):
            if any(stop.startswith(tail[-size:]) for stop in self._stops):
                end -= size
                break
        return max(self._sent, _whole_characters(self._bytes, end))

    def _send(self, end: int, *, last: bool) -> tuple[str, list[Any]]:
        text = self._bytes[self._sent : end].decode("utf-8", "replace")
        self._sent = end
        ready = [token for token in self._tokens if (token.start < end if last else token.end <= end)]
        self._tokens = self._tokens[len(ready) :]
        return text, [token.logprob for token in ready]


def _whole_characters(data: bytearray, end: int) -> int:
    """`end`, moved before a character that is not complete yet."""
    for back in range(1, min(4, end) + 1):
        byte = data[end - back]
        if byte < 0x80:
            return end
        if byte >= 0xC0:
            needs = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return end - back if needs > back else end
    return end

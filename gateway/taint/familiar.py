"""Parts of requests that were there before: seen while the shared memory answered and knew nothing of them.

An answer given later cannot be where they come from. So when that memory does not answer, a system prompt that comes
with every request, or the earlier turns of a chat, need not be held to be something private that came back.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping

import orjson

from gateway.core.types import Json, Request
from gateway.taint.entry import Owner

_LONG = 150
"""Bytes of a message as JSON; what is longer may quote enough of an answer to be recognised by it."""
_KEPT = 1 << 15
_EARLIER = ("assistant", "tool", "function")


class Familiar:
    def __init__(self, most: int = _KEPT) -> None:
        self._most = most
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def note(self, owner: Owner, request: Request) -> None:
        """The request was compared with all that is remembered, and nothing in it was recognised."""
        for part in _bringing(owner, request.body):
            if part is not None:
                self._seen[part] = None
                self._seen.move_to_end(part)
        while len(self._seen) > self._most:
            self._seen.popitem(last=False)

    def covers(self, owner: Owner, request: Request) -> bool:
        """Whether the request brings nothing back but what was there before."""
        if request.conversation:
            return False  # it may have turned private elsewhere, whatever this turn of it says
        return all(part is not None and part in self._seen for part in _bringing(owner, request.body))


def _bringing(owner: Owner, body: Mapping[str, Json]) -> Iterator[bytes | None]:
    """A keyed hash of every part that may hold something of an earlier answer; None for one that has none."""
    for key, value in body.items():
        if isinstance(value, str | Mapping | list | tuple):
            parts = value if key == "messages" and isinstance(value, list | tuple) else (value,)
            for part in parts:
                try:
                    written = orjson.dumps(part)
                except TypeError:
                    yield None
                    continue
                earlier = isinstance(part, Mapping) and part.get("role") in _EARLIER
                if earlier or len(written) > _LONG:
                    yield owner.digest(b"familiar", written)

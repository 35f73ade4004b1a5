"""Where entries are kept: the port, and the store in this process: bounded, the oldest out first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from gateway.core.types import Json
from gateway.taint.entry import Entry, Owner
from gateway.taint.space import Space


class Known(NamedTuple):
    """What a store can tell about an owner now."""

    space: Space | None
    """None: nothing is remembered."""
    whole: bool
    """False: there may be more, and it could not be asked for in time."""


class Store(Protocol):
    """Keeps entries. Raises nothing: what it cannot reach, `Known.whole` and `status` tell."""

    @property
    def remote(self) -> bool:
        """Whether it may be out of reach."""
        ...

    async def known(self, owner: Owner) -> Known: ...

    def space(self, owner: Owner) -> Space | None:
        """What this process knows already; asks nobody."""
        ...

    async def add(self, owner: Owner, entries: Sequence[Entry]) -> None:
        """Remember; what is there under the same id is joined with the new."""
        ...

    async def warm(self, deadline_s: float = 2.0) -> bool: ...

    async def aclose(self) -> None: ...

    def status(self) -> dict[str, Json]: ...


class LocalStore:
    """In this process's memory. `dropped` counts what was forgotten before its time because there was no room."""

    remote = False

    def __init__(self, *, max_mb: float = 64, max_owner_mb: float = 32, clock: Callable[[], float] = time.time) -> None:
        self._max_bytes = int(max_mb * 1024 * 1024)
        self._max_owner_bytes = min(int(max_owner_mb * 1024 * 1024), self._max_bytes)
        self._clock = clock
        self._spaces: OrderedDict[str, Space] = OrderedDict()
        """By owner, last added to last."""
        self._sizes: dict[str, int] = {}
        self._bytes = 0
        self.dropped = 0

    async def known(self, owner: Owner) -> Known:
        return Known(self.space(owner), True)

    async def add(self, owner: Owner, entries: Sequence[Entry]) -> None:
        self.put(owner, entries)

    async def warm(self, deadline_s: float = 2.0) -> bool:
        return True

    async def aclose(self) -> None:
        self._spaces.clear()
        self._sizes.clear()
        self._bytes = 0

    def status(self) -> dict[str, Json]:
        return {
            "kind": "memory",
            "state": "ok",
            "owners": len(self._spaces),
            "entries": sum(map(len, self._spaces.values())),
            "bytes": self._bytes,
            "max_bytes": self._max_bytes,
            "dropped": self.dropped,
        }

    def space(self, owner: Owner) -> Space | None:
        space = self._spaces.get(owner.name)
        if space is None:
            return None
        space.expire(self._clock())
        return space if self._measured(owner.name) else None

    def put(self, owner: Owner, entries: Sequence[Entry]) -> Space:
        space = self._spaces.setdefault(owner.name, Space())
        self._spaces.move_to_end(owner.name)
        space.add(entries)
        if space.size_bytes > self._max_owner_bytes:
            # A little more than needed, so that the next answer finds room without the same work.
            self.dropped += space.drop(self._max_owner_bytes * 7 // 8)
        self._measured(owner.name)
        self._expire()
        if self._bytes > self._max_bytes:
            self._make_room()
        return space

    def _expire(self) -> None:
        """Owners whom nobody asks about any more: those who were added to longest ago are done first."""
        now = self._clock()
        for name in list(self._spaces)[:2]:
            self._spaces[name].expire(now)
            self._measured(name)

    def _make_room(self) -> None:
        """Whoever holds most gives first, so that a busy owner does not cost a quiet one its memory."""
        target = self._max_bytes * 7 // 8
        for name in sorted(self._sizes, key=self._sizes.__getitem__, reverse=True):
            if self._bytes <= target:
                return
            self.dropped += self._spaces[name].drop(self._sizes[name] // 2)
            self._measured(name)

    def _measured(self, name: str) -> bool:
        """Book what the owner's space takes now; False when it is empty and gone."""
        space = self._spaces[name]
        size = space.size_bytes if len(space) else 0
        self._bytes += size - self._sizes.get(name, 0)
        self._sizes[name] = size
        if not size:
            del self._spaces[name], self._sizes[name]
        return bool(size)

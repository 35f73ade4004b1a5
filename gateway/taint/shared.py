"""Entries in Redis or Valkey, for several gateways: a log per owner, locked, that each gateway reads on in.

A request so costs one round trip, which nearly always brings nothing, and all comparing is done here. What is written
is what is written down in `Entry`, keyed hashes and kinds, and locked all the same, with a key per tenant.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import structlog

from gateway.cache.seal import Seal
from gateway.cache.server import RedisServer
from gateway.core.types import Json
from gateway.taint.entry import Entry, Owner
from gateway.taint.proof import Proof
from gateway.taint.space import Space
from gateway.taint.store import Known, LocalStore

_PAGE = 32
_AT_ONCE = 64
"""Entries written in one round trip."""
_REST_S = 1.0
"""Between two tries to write what a server that answers would not take."""


class _Unsent(NamedTuple):
    owner: Owner
    entry: Entry


class SharedStore:
    """What was read of the server, and what this gateway remembers, lies in `local`; while the server is down, that
    is all there is, and what could not be written waits here."""

    remote = True

    def __init__(
        self,
        server: RedisServer,
        seal: Seal,
        local: LocalStore,
        proof: Proof,
        *,
        ttl_s: float,
        patience_s: float = 0.05,
        max_entries: int = 8192,
        max_unsent: int = 4096,
        clock: Callable[[], float] = time.time,
        log: Any = None,
    ) -> None:
        self._server = server
        self._seal = seal
        self._local = local
        self._proof = proof
        self._ttl_ms = max(1, int(ttl_s * 1000))
        self._patience_s = patience_s
        self._max_entries = max_entries
        self._max_unsent = max_unsent
        self._clock = clock
        self._log = log or structlog.get_logger()
        self._unsent: deque[_Unsent] = deque()
        self._retry_at = 0.0
        self._unsealable = 0
        self._dropped = 0

    async def known(self, owner: Owner) -> Known:
        await self._proof.look(self._server)
        # What a gateway with another key remembers cannot be read here: it is as if the server were down.
        whole = await self._read(owner) and not self._proof.differs
        if whole and self._unsent and time.monotonic() >= self._retry_at:
            await self._send()
        return Known(self._local.space(owner), whole)

    def space(self, owner: Owner) -> Space | None:
        return self._local.space(owner)

    async def add(self, owner: Owner, entries: Sequence[Entry]) -> None:
        self._local.put(owner, entries)
        self._wait([_Unsent(owner, entry) for entry in entries])
        await self._send()

    async def warm(self, deadline_s: float = 2.0) -> bool:
        answered = await self._server.warm(deadline_s)
        if answered:
            await self._proof.look(self._server)
        return answered

    async def aclose(self) -> None:
        await self._server.aclose()
        await self._local.aclose()

    def status(self) -> dict[str, Json]:
        local = self._local.status()
        return {
            **local,
            "kind": "redis",
            "state": "down" if self._server.down or self._proof.differs else "ok",
            "key_differs": self._proof.differs,
            "dropped": local["dropped"] + self._dropped,
            "unsent": len(self._unsent),
            "failures": self._server.failures,
            "refused": self._server.refused,
            "unsealable": self._unsealable,
        }

    # -- read ----------------------------------------------------------------------------------------------------

    async def _read(self, owner: Owner) -> bool:
        """Fetch what others wrote since the last time; whether that was all of it."""
        name, began = _name(owner), time.monotonic()
        space = self._local.space(owner)
        cursor = space.cursor if space else b"-"
        while True:
            page = await self._server.ask(partial(_page, name, cursor))
            if page is None:
                return False
            if page:
                cursor = b"(" + page[-1][0]
                now = self._clock()
                entries = [entry for one in page if (entry := self._opened(one[1], owner, name, now)) is not None]
                if entries:
                    self._local.put(owner, entries).cursor = cursor
                elif (space := self._local.space(owner)) is not None:
                    space.cursor = cursor
            if len(page) < _PAGE:
                return True
            if time.monotonic() - began > 0.8 * self._patience_s:
                return False  # much was written here: the next request reads on

    def _opened(self, fields: dict[bytes, bytes], owner: Owner, name: str, now: float) -> Entry | None:
        value = self._seal.open(fields.get(b"e", b""), tenant=owner.tenant, name=name)
        try:
            if value is not None:
                entry = Entry.from_bytes(value)
                return entry if entry.expires_at > now else None
        except ValueError:
            pass  # written by a release with another format
        if not self._unsealable:
            self._log.warning("taint_unsealable", taint="redis")
        self._unsealable += 1
        return None

    # -- write ---------------------------------------------------------------------------------------------------

    async def _send(self) -> None:
        """Write what waits, the oldest first. What is not known to be written waits on; twice does no harm."""
        now = self._clock()
        batch: list[_Unsent] = []
        while self._unsent and len(batch) < _AT_ONCE:
            one = self._unsent.popleft()
            if one.entry.expires_at > now:
                batch.append(one)
        if not batch:
            return
        left = batch
        try:
            answers = await self._server.ask(lambda redis: self._write(redis, batch))
            if answers is not None:
                left = [one for one, answer in zip(batch, answers, strict=True) if isinstance(answer, Exception)]
                self._retry_at = time.monotonic() + _REST_S if left else 0.0
        finally:
            self._wait(left)

    async def _write(self, redis: Any, batch: Sequence[_Unsent]) -> list[Any]:
        pipe = redis.pipeline(transaction=False)
        for owner, entry in batch:
            name = _name(owner)
            sealed = self._seal.close(entry.to_bytes(), tenant=owner.tenant, name=name)
            pipe.xadd(name, {b"e": sealed}, maxlen=self._max_entries, approximate=True)
        for name in {_name(owner) for owner, _ in batch}:
            pipe.pexpire(name, self._ttl_ms)
            # Twice the time: clocks of two machines differ, and who expires is told by the entry itself.
            pipe.xtrim(name, minid=max(0, int(self._clock() * 1000) - 2 * self._ttl_ms), approximate=True)
        answers: list[Any] = await pipe.execute(raise_on_error=False)
        return answers[: len(batch)]

    def _wait(self, left: Sequence[_Unsent]) -> None:
        self._unsent.extend(left)
        while len(self._unsent) > self._max_unsent:
            self._unsent.popleft()
            self._dropped += 1


async def _page(name: str, since: bytes, redis: Any) -> list[tuple[bytes, dict[bytes, bytes]]]:
    page: list[tuple[bytes, dict[bytes, bytes]]] = await redis.xrange(name, since, "+", count=_PAGE)
    return page


def _name(owner: Owner) -> str:
    """Braces make the owner the hash tag: all that is ever kept of one owner lies on one node of a cluster."""
    return f"slmgw:taint:{{{owner.name}}}"

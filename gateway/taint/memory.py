"""The taint memory behind the port `Taints`: what was private once is private wherever a client sends it again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import anyio.to_thread
import structlog

from gateway.core.ports import Answer
from gateway.core.types import Assessment, Decision, Json, Request, Scan, Unreadable
from gateway.taint.answer import Noted, WatchedAnswer
from gateway.taint.entry import Entry, Owner
from gateway.taint.familiar import Familiar
from gateway.taint.marks import Marks, answered_call_id, call_id, call_name, conversation_id, whole_id
from gateway.taint.origin import KEPT_FROM, Origin, findings
from gateway.taint.space import Space
from gateway.taint.store import Store
from gateway.taint.strings import SHORTEST, Call, Said, calls, results, strings

TTL_S = 24 * 3600
_OFF_LOOP = 200_000
"""Characters; comparing more than this is left to a thread."""
_RENEWED_FROM = 0.9
"""Of its life: what is recognised with less than this left gets a whole one again."""
_UNAVAILABLE = Unreadable("$", "taint_unavailable")


class TaintMemory:
    """Over a store. `secret` is the same on all gateways that share one; without it the store says nothing.

    What counts as coming back, for a tenant's subject (see `prints` for the figures):

    1. A text that repeats 64 letters and digits of an answer without a break, about 80 characters as they are written:
       more than any stock phrase, and any 70 of them are enough to hold such a stretch. Several shorter phrases of one
       answer do not add up.
    2. All of an answer that is shorter than that, but has 40 characters, inside whatever text.
    3. A tool call with the name and arguments of one, or with its id where that was drawn at random; what the client
       sends as the result of a call that came back is remembered in its turn.
    4. The client's conversation id, if it sends one.
    """

    def __init__(
        self,
        store: Store,
        *,
        secret: bytes,
        ttl_s: float = TTL_S,
        clock: Callable[[], float] = time.time,
        log: Any = None,
    ) -> None:
        self._store = store
        self._marks = Marks(secret)
        self._ttl_s = ttl_s
        self._clock = clock
        self._log = log or structlog.get_logger()
        self._familiar = Familiar()
        self._counts = {"recognised": 0, "remembered": 0, "unavailable": 0, "failed": 0, "cut": 0}

    async def warm(self, deadline_s: float = 2.0) -> bool:
        """Get ready for the first request; False when the server did not answer. Nothing depends on it."""
        return await self._store.warm(deadline_s)

    async def aclose(self) -> None:
        await self._store.aclose()

    def status(self) -> dict[str, Json]:
        """`kind`, `state` (ok or down) and counters.

        `dropped` is what was forgotten before its time, `cut` answers too long to be remembered to their end.
        """
        return {**self._store.status(), **self._counts}

    # -- recall --------------------------------------------------------------------------------------------------

    async def recall(self, request: Request) -> Scan:
        try:
            return await self._recall(request)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody knows what this request brings back
            self._failed("recall", error)
            return Scan(unreadable=(_UNAVAILABLE,))

    async def _recall(self, request: Request) -> Scan:
        owner = self._marks.owner(request.principal)
        space, whole = await self._store.known(owner)
        if space is None and whole and not self._store.remote:
            return Scan()
        recognised = await self._recognised(owner, space, request) if space is not None else []
        unreadable = [Unreadable(path, "tainted") for path, entry in recognised if entry.origin.unknown]
        if not whole and not self._familiar.covers(owner, request):
            self._counts["unavailable"] += 1
            unreadable.append(_UNAVAILABLE)
        elif whole and not recognised:
            self._familiar.note(owner, request)
        if recognised:
            self._counts["recognised"] += 1
            await self._renew(owner, [entry for _, entry in recognised])
        found = findings((path, entry.origin) for path, entry in recognised)
        return Scan(found, tuple(dict.fromkeys(unreadable)))

    async def _recognised(self, owner: Owner, space: Space, request: Request) -> list[tuple[str, Entry]]:
        """(path, entry) of all that comes back, each entry once."""
        said = strings(request.body)
        found: dict[bytes, tuple[str, Entry]] = {}
        for path, entry in [
            *self._named(owner, space, request),
            *await self._copied(owner, space, said),
        ]:
            found.setdefault(entry.id, (path, entry))
        now = self._clock()
        return [(path, entry) for path, entry in found.values() if entry.expires_at > now]

    async def _copied(self, owner: Owner, space: Space, said: Sequence[Said]) -> list[tuple[str, Entry]]:
        texts = [one.text for one in said]
        if sum(map(len, texts)) > _OFF_LOOP:
            reading, prints = await anyio.to_thread.run_sync(self._marks.compared, owner, texts)
        else:
            reading, prints = self._marks.compared(owner, texts)
        copied = [(said[reading.string_at(position)].path, entry) for entry, position in space.copies(prints)]
        for number, one in enumerate(said):
            letters = int(reading.bounds[number + 1] - reading.bounds[number])
            if len(one.text) >= SHORTEST and space.is_whole_length(letters):
                entry = space.get(whole_id(owner, reading.string(number)))
                if entry is not None:
                    copied.append((one.path, entry))
        return copied

    def _named(self, owner: Owner, space: Space, request: Request) -> list[tuple[str, Entry]]:
        named: list[tuple[str, Entry | None]] = []
        if request.conversation:
            named.append(("$", space.get(conversation_id(owner, request.conversation))))
        for call in calls(request.messages):
            named.extend((call.path, entry) for entry in _known_call(owner, space, call))
        for result in results(request.messages):
            by_id = answered_call_id(owner, result)
            if by_id is not None:
                named.append((result.path, space.get(by_id)))
        return [(path, entry) for path, entry in named if entry is not None]

    async def _renew(self, owner: Owner, entries: Iterable[Entry]) -> None:
        now = self._clock()
        soon = now + _RENEWED_FROM * self._ttl_s
        stale = [replace(entry, expires_at=now + self._ttl_s) for entry in entries if entry.expires_at < soon]
        if stale:
            await self._store.add(owner, stale)

    # -- remember ------------------------------------------------------------------------------------------------

    def watch(self, request: Request, assessment: Assessment, decision: Decision) -> Answer | None:
        if decision.level < KEPT_FROM:
            return None
        return WatchedAnswer(partial(self._remember, request, Origin.of(assessment, decision)))

    async def _remember(self, request: Request, origin: Origin, noted: Noted) -> bool:
        try:
            owner = self._marks.owner(request.principal)
            entries = self._new(owner, self._entries(owner, request, origin, noted))
            if entries:
                await self._store.add(owner, entries)
            self._counts["remembered"] += len(entries)
            self._counts["cut"] += noted.full
        except Exception as error:  # noqa: BLE001 - the answer is on its way; the status says that it is not known
            self._failed("keep", error)
            return False
        return True

    def _entries(self, owner: Owner, request: Request, origin: Origin, noted: Noted) -> list[Entry]:
        expires_at = self._clock() + self._ttl_s
        entries: list[Entry] = []
        if request.conversation:
            entries.append(Entry(conversation_id(owner, request.conversation), origin, expires_at))
        for text in (*noted.texts(), *self._inherited(owner, request)):
            entries.extend(self._marks.text(owner, text, origin, expires_at))
        for call in noted.calls():
            entries.extend(self._marks.call(owner, call, origin, expires_at))
        return entries

    def _new(self, owner: Owner, entries: Iterable[Entry]) -> list[Entry]:
        """Without what is remembered as it is: the results of a long chat's calls come with each of its requests."""
        space, soon = self._store.space(owner), self._clock() + _RENEWED_FROM * self._ttl_s
        fresh: list[Entry] = []
        for entry in entries:
            known = space.get(entry.id) if space is not None else None
            if known is None or known.expires_at < soon or known.origin.joined(entry.origin) != known.origin:
                fresh.append(entry)
        return fresh

    def _inherited(self, owner: Owner, request: Request) -> list[str]:
        """What the client sent as results of calls that came back."""
        given = list(results(request.messages))
        space = self._store.space(owner) if given else None
        if space is None:
            return []
        known = [call for call in calls(request.messages) if any(_known_call(owner, space, call))]
        ids = {call.call_id for call in known if call.call_id}
        names = {call.name for call in known if not call.call_id}
        texts: list[str] = []
        for result in given:
            by_id = answered_call_id(owner, result)
            if (
                result.call_id in ids
                or (not result.call_id and result.name in names)
                or (by_id is not None and space.get(by_id) is not None)
            ):
                texts.extend(result.texts)
        return texts

    def _failed(self, what: str, error: Exception) -> None:
        self._counts["failed"] += 1
        self._log.warning("taint_failed", step=what, error=type(error).__name__)


def _known_call(owner: Owner, space: Space, call: Call) -> list[Entry]:
    names = (call_name(owner, call), call_id(owner, call))
    return [entry for name in names if name is not None and (entry := space.get(name)) is not None]

"""The audit log as an AuditSink: requests wait for one writer thread, which commits everybody who waits at once.

`write` returns after fsync. While the disk works, more records gather; the next commit takes them all, so that a busy
gateway pays for few commits and an idle one waits for none. When the disk fails, whoever waits for it gets
AuditUnavailable and the writer keeps trying until the disk is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias, TypeVar

import anyio
import anyio.to_thread

from gateway.audit.keys import Keys, apart
from gateway.audit.log import Log, own_record
from gateway.audit.record import Members, encode, stamp
from gateway.audit.segments import segments
from gateway.core.errors import AuditUnavailable
from gateway.core.records import AuditRecord, Receipt
from gateway.core.types import Json

_LIMIT = 10_000
"""Records that may wait: some 10 MB. Beyond that the disk is too slow for the traffic, and saying so is better."""
_GROUP = 1_000
"""Records in one commit, so that one commit stays short."""
_PATIENCE_S = 10.0
"""How long a request waits for a disk that neither answers nor fails."""
_RETRY_S = 0.5
_Receipt: TypeAlias = "asyncio.Future[int]"
_News = TypeVar("_News", int, str)
"""What a waiter is told: the sequence number, or why there is none."""


class _Waiting(NamedTuple):
    """A record on its way to disk, and who waits for it."""

    encoded: bytes
    receipt: _Receipt | None


class JsonlAudit:
    """Hash-chained JSONL segments in a directory. Used from one event loop."""

    def __init__(self, log: Log, keys: Keys, *, flush_ms: int, patience_s: float = _PATIENCE_S) -> None:
        self._log = log
        self._keys = keys
        self._flush_s = flush_ms / 1000
        self._patience_s = patience_s
        self._waiting: deque[_Waiting] = deque()
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._flush: asyncio.TimerHandle | None = None
        self._closing = False
        self._error: str | None = None
        self._refused = 0
        self._commits = 0
        self._committed_at = time.monotonic()
        self._writer = threading.Thread(target=self._run, name="audit", daemon=True)
        self._writer.start()

    @classmethod
    def open(
        cls,
        directory: Path,
        keys_dir: Path,
        *,
        segment_mb: float = 64,
        flush_ms: int = 50,
        patience_s: float = _PATIENCE_S,
    ) -> JsonlAudit:
        """Continue the log in `directory` or begin one, with the keys in `keys_dir`. Raises ConfigurationError."""
        apart(keys_dir, directory)
        # A log without its keys must not get new ones by accident: its pseudonyms would never match again.
        keys = Keys.load(keys_dir, create=not _begun(directory))
        log = Log.open(directory, keys, int(segment_mb * 1024 * 1024))
        return cls(log, keys, flush_ms=flush_ms, patience_s=patience_s)

    async def write(self, record: AuditRecord, *, durable: bool = True) -> Receipt:
        """Append. A receipt with sequence 0, for `durable=False`, proves nothing: the record is not on disk yet.

        A record whose writer is cancelled is written all the same. Raises AuditUnavailable; ValueError for facts that
        JSON cannot carry.
        """
        encoded = encode(self._members(record))
        if self._closing:
            raise AuditUnavailable("the audit log is closed")
        if len(self._waiting) >= _LIMIT:
            raise AuditUnavailable(f"{len(self._waiting)} records already wait for the audit log")
        loop = asyncio.get_running_loop()
        if not durable:
            self._waiting.append(_Waiting(encoded, None))
            if self._flush is None:
                self._flush = loop.call_later(self._flush_s, self._flush_now)
            return Receipt(0, record.request_id, record.event)
        receipt: _Receipt = loop.create_future()
        self._waiting.append(_Waiting(encoded, receipt))
        self._wake.put(None)
        patience = loop.call_later(self._patience_s, _give_up, receipt, self._patience_s)
        try:
            return Receipt(await receipt, record.request_id, record.event)
        finally:
            patience.cancel()

    def pseudonym(self, kind: str, name: str) -> str:
        """How a 'tenant' or 'subject' stands in the log."""
        return self._keys.pseudonym(kind, name)

    def status(self) -> dict[str, Json]:
        """For `/readyz` and metrics: `error` is None while records reach the disk."""
        return {
            "lag_records": len(self._waiting),
            "last_commit_age_s": round(time.monotonic() - self._committed_at, 3),
            "error": self._error,
            "sequence": self._log.sequence,
            "commits": self._commits,
        }

    async def aclose(self) -> None:
        """Write what waits, then let go of the directory."""
        self._closing = True  # here already: from now on no record can slip in behind the writer's last look
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(self.close)

    def close(self) -> None:
        self._closing = True
        self._wake.put(None)
        self._writer.join()

    # -- in the event loop ----------------------------------------------------------------------------------------

    def _members(self, record: AuditRecord) -> Members:
        keys = self._keys
        return Members(
            ts=stamp(time.time()),
            event=record.event,
            request_id=record.request_id or None,
            tenant=keys.pseudonym("tenant", record.tenant) if record.tenant else None,
            subject=keys.pseudonym("subject", record.subject) if record.subject else None,
            hmac=None if record.canonical is None else keys.request_hmac(record.tenant, record.canonical),
            facts=record.facts,
        )

    def _flush_now(self) -> None:
        self._flush = None
        if self._waiting:
            self._wake.put(None)

    # -- in the writer thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not (self._closing and (self._error or not self._waiting)):
            # While the disk fails, look again unasked: readiness should return with the disk, not with a request.
            with contextlib.suppress(queue.Empty):
                self._wake.get(timeout=_RETRY_S if self._error else None)
            if self._waiting or self._error:
                self._commit(self._gather())
        self._fail(list(self._waiting), "the audit log is closed")
        self._log.close()

    def _gather(self) -> list[_Waiting]:
        # Only this thread takes records away, so the length can only grow between the two calls.
        return [self._waiting.popleft() for _ in range(min(len(self._waiting), _GROUP))]

    def _commit(self, group: list[_Waiting]) -> None:
        own = [self._recovered()] if self._error else []
        try:
            begun = self._log.append(own + [record.encoded for record in group])
        except Exception as error:  # noqa: BLE001 - whatever it is, no receipt: nothing leaves, and the thread lives on
            self._error = errno.errorcode.get(getattr(error, "errno", 0) or 0, type(error).__name__)
            self._fail(group, f"the audit log cannot be written ({self._error})")
            return
        self._error, self._refused = None, 0
        self._commits += 1
        self._committed_at = time.monotonic()
        receipts = [record.receipt for record in group]
        first = begun + len(own)
        _tell(_settle, [(receipt, at) for at, receipt in enumerate(receipts, first) if receipt is not None])
        if self._waiting:  # more than one group was waiting, or more came: do not sleep on them
            self._wake.put(None)

    def _recovered(self) -> bytes:
        return own_record("recovered", {"why": self._error, "refused_records": self._refused})

    def _fail(self, group: list[_Waiting], why: str) -> None:
        """Tell those who wait; keep the records that nobody waits for until the disk is back."""
        kept = [record for record in group if record.receipt is None]
        refused = [record.receipt for record in group if record.receipt is not None]
        self._waiting.extendleft(reversed(kept))
        self._refused += len(refused)
        _tell(_refuse, [(receipt, why) for receipt in refused])


def _begun(directory: Path) -> bool:
    return directory.is_dir() and bool(segments(directory))


def _tell(deliver: Callable[[list[tuple[_Receipt, _News]]], None], told: list[tuple[_Receipt, _News]]) -> None:
    """One hop into the event loop for a whole commit."""
    if told:
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody waits any more
            told[0][0].get_loop().call_soon_threadsafe(deliver, told)


def _settle(told: list[tuple[_Receipt, int]]) -> None:
    for receipt, sequence in told:
        if not receipt.done():
            receipt.set_result(sequence)


def _refuse(told: list[tuple[_Receipt, str]]) -> None:
    for receipt, why in told:
        if not receipt.done():
            receipt.set_exception(AuditUnavailable(why))


def _give_up(receipt: _Receipt, patience_s: float) -> None:
    _refuse([(receipt, f"the audit log did not answer within {patience_s:g} s")])

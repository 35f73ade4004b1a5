"""The offline verifier: reads a log, or a copy of one, and names the first thing that is wrong with it.

It needs the directory and nothing else; with the gateway's public key from another source it also proves who wrote the
log. It may look at a log that is being written: then it checks up to the newest head.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from gateway.audit import head as heads
from gateway.audit.copies import DigestOf, check_copies, missing_copies
from gateway.audit.diagnose import Position, Problem, at, beyond, cut_off, misplaced
from gateway.audit.head import Head
from gateway.audit.keys import PublicKey
from gateway.audit.record import link
from gateway.audit.segments import PUBLIC_KEY, RawLine, lines, segments
from gateway.core.errors import ConfigurationError

_PATIENCE_S = 1.0
"""How long records beyond the head may wait for it before they count as unsigned."""
_PAUSE_S = 0.02


@dataclass(frozen=True, slots=True)
class Verification:
    """What the verifier says."""

    ok: bool
    records: int
    """Records verified before the first problem."""
    problem: str | None = None
    """One sentence."""
    kind: str | None = None
    """altered, missing, reordered, repeated, cut_off, unsigned, bad_signature, wrong_key, no_head, rolled_back or
    policy_altered."""
    sequence: int | None = None
    """The first record that is wrong or not there."""
    signed_at: str = ""
    """Time of the head that signs the last record verified."""
    fingerprint: str = ""
    """Of the public key it was verified with."""
    pinned: bool = field(default=False)
    """The key came from outside the log; otherwise the log only agrees with itself."""
    notes: tuple[str, ...] = ()
    """What is no problem and good to know."""

    @property
    def exit_code(self) -> int:
        return 0 if self.ok else 1

    def __str__(self) -> str:
        if not self.ok:
            return f"{self.kind}: {self.problem}"
        source = "the key given" if self.pinned else "the log's own key"
        return f"ok: {self.records} records, signed until {self.signed_at} by {source} {self.fingerprint}"


def verify(
    directory: Path,
    public_key: bytes | None = None,
    checkpoint: bytes | None = None,
    policy_digest: DigestOf | None = None,
) -> Verification:
    """Check every record against its neighbours and the signed head.

    `public_key` is a PEM file's content; without it the log's own `public.pem` is used. `checkpoint` is a head that was
    copied away earlier: the log must still contain what it signs. With `policy_digest` the copies of policies beside
    the log are checked too. Raises ConfigurationError when there is no log here
    or the key cannot be used.
    """
    if not directory.is_dir():
        raise ConfigurationError(f"no audit log at {str(directory)!r}: not a directory")
    if not segments(directory) and not (directory / heads.NAME).exists():
        raise ConfigurationError(f"no audit log at {str(directory)!r}: neither segments nor a head")
    walk = _Walk(directory, _key(directory, public_key))
    problem: Problem | None = None
    notes: tuple[str, ...] = ()
    try:
        walk.check(checkpoint)
        if policy_digest is not None:
            check_copies(directory, policy_digest)
            notes = tuple(
                f"policy {digest} decided and has no copy beside the log" for digest in missing_copies(directory)
            )
    except Problem as found:
        problem = found
    except OSError as error:
        raise ConfigurationError(f"the audit log at {str(directory)!r} cannot be read: {error.strerror}") from None
    return Verification(
        ok=problem is None,
        records=walk.position.seq,
        problem=str(problem) if problem else None,
        kind=problem.kind if problem else None,
        sequence=problem.sequence if problem else None,
        signed_at=walk.signed_at,
        fingerprint=walk.key.fingerprint,
        pinned=public_key is not None,
        notes=notes,
    )


def _key(directory: Path, given: bytes | None) -> PublicKey:
    if given is not None:
        return PublicKey.from_pem(given)
    try:
        return PublicKey.from_pem((directory / PUBLIC_KEY).read_bytes())
    except OSError:
        raise ConfigurationError(f"{str(directory)!r} holds no {PUBLIC_KEY}; name the gateway's public key") from None


class _Walk:
    """One pass over the log, with one line and the line before it in memory."""

    def __init__(self, directory: Path, key: PublicKey) -> None:
        self.directory = directory
        self.key = key
        self.position = Position(directory)
        self.signed_at = ""

    def check(self, checkpoint: bytes | None) -> None:
        target = self._head()
        kept = self._kept(checkpoint)
        renewed = 0
        for line in self._lines():
            if self.position.seq == target.seq:  # all that this head signs is checked; what comes needs a newer one
                if renewed == 2:  # the log grows while we read: no need to chase it for ever
                    break
                target, renewed = self._newer(target, line), renewed + 1
                if not line.whole:
                    continue  # it was being written; it comes again
            self._step(line, target)
            self._compare(target, "altered", "the head")
            if kept is not None:
                self._compare(kept, "rolled_back", "the checkpoint")
        self._check_ends(target, kept)
        self.signed_at = target.ts

    # -- heads ----------------------------------------------------------------------------------------------------

    def _head(self) -> Head:
        path = self.directory / heads.NAME
        for last_try in (False, True):
            try:
                signed = heads.parse(path.read_bytes())
            except OSError:
                raise Problem("no_head", None, "the head is missing: nothing says where the log ends") from None
            if signed is not None and signed.signed_by(self.key):
                return signed.head
            if not last_try:
                time.sleep(_PAUSE_S)  # it may have been read while it was written
        raise self._unsigned_head()

    def _unsigned_head(self) -> Problem:
        """Whose key, then? The genesis record names the one that began the log."""
        named = _genesis_key(self.directory)
        if named is not None and named != self.key.fingerprint:
            return self._foreign(named)
        return Problem(
            "bad_signature", None, "the head's signature is wrong: it was changed, or signed with another key"
        )

    def _foreign(self, named: str | None) -> Problem:
        return Problem("wrong_key", 1, f"the log was begun with key {named}, not with {self.key.fingerprint}")

    def _kept(self, checkpoint: bytes | None) -> Head | None:
        if checkpoint is None:
            return None
        signed = heads.parse(checkpoint)
        if signed is None or not signed.signed_by(self.key):
            raise ConfigurationError("the checkpoint is not a head signed with this key")
        return signed.head

    def _newer(self, target: Head, line: RawLine) -> Head:
        """Wait for the head that signs `line`: in a live log it is a moment behind."""
        until = time.monotonic() + _PATIENCE_S
        while (head := self._head()).seq <= target.seq:
            if time.monotonic() > until:
                raise beyond(self.position, line, target)
            time.sleep(_PAUSE_S)
        return head

    # -- lines ----------------------------------------------------------------------------------------------------

    def _lines(self) -> Iterator[RawLine]:
        """Every line of every segment, those included that appear while we read."""
        found = segments(self.directory)
        index, offset = 0, 0
        while index < len(found):
            # Listed before it is read, a segment with a successor gets no more lines: its end is its end.
            finished, seen = index + 1 < len(found), False
            for line in lines(found[index], offset):
                yield line
                seen, offset = True, line.end if line.whole else offset
            if finished:
                index, offset = index + 1, 0
                continue
            later = [segment for segment in segments(self.directory) if segment > found[index]]
            if not later and not seen:
                return
            found, index = [found[index], *later], 0

    def _step(self, line: RawLine, target: Head) -> None:
        """Accept `line` as the next record, or say what is wrong."""
        expected = self.position.seq + 1
        where = link(line.raw) if line.whole else None
        if where is None:
            what = "is no longer a record" if line.whole else "stops in the middle"
            raise Problem("altered" if line.whole else "cut_off", expected, f"record {expected} {what} ({at(line)})")
        if where != (expected, self.position.digest):
            raise misplaced(self.position, line, where, target)
        self.position = self.position.after(line)

    def _compare(self, head: Head, kind: str, name: str) -> None:
        seq = self.position.seq
        if seq == head.seq and self.position.digest != head.digest:
            raise Problem(kind, seq, f"record {seq} was altered: {name} signs another")

    def _check_ends(self, target: Head, kept: Head | None) -> None:
        """What a log in good order can still lack: an end, what an earlier head signed, and its own key."""
        seq = self.position.seq
        if seq < target.seq:
            raise cut_off(self.position, target)
        if kept is not None and seq < kept.seq:
            raise Problem("rolled_back", seq + 1, f"the checkpoint signs {kept.seq} records, the log has {seq}")
        named = _genesis_key(self.directory)
        if named != self.key.fingerprint:
            raise self._foreign(named)


def _genesis_key(directory: Path) -> str | None:
    for segment in segments(directory)[:1]:
        for line in lines(segment):
            return _key_named(line.raw)
    return None


def _key_named(raw: bytes) -> str | None:
    try:
        named = orjson.loads(raw)["facts"]["public_key"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        return None
    return named if isinstance(named, str) else None

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
from gateway.audit.head import Head
from gateway.audit.keys import PublicKey
from gateway.audit.record import NO_PREVIOUS, Link, digest, link
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
    """altered, missing, reordered, repeated, cut_off, unsigned, bad_signature, wrong_key, no_head or rolled_back."""
    sequence: int | None = None
    """The first record that is wrong or not there."""
    signed_at: str = ""
    """Time of the head that signs the last record verified."""
    fingerprint: str = ""
    """Of the public key it was verified with."""
    pinned: bool = field(default=False)
    """The key came from outside the log; otherwise the log only agrees with itself."""

    @property
    def exit_code(self) -> int:
        return 0 if self.ok else 1

    def __str__(self) -> str:
        if not self.ok:
            return f"{self.kind}: {self.problem}"
        source = "the key given" if self.pinned else "the log's own key"
        return f"ok: {self.records} records, signed until {self.signed_at} by {source} {self.fingerprint}"


class _Problem(Exception):
    def __init__(self, kind: str, sequence: int | None, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sequence = sequence


def verify(directory: Path, public_key: bytes | None = None, checkpoint: bytes | None = None) -> Verification:
    """Check every record against its neighbours and the signed head.

    `public_key` is a PEM file's content; without it the log's own `public.pem` is used. `checkpoint` is a head that was
    copied away earlier: the log must still contain what it signs. Raises ConfigurationError when there is no log here
    or the key cannot be used.
    """
    if not directory.is_dir():
        raise ConfigurationError(f"no audit log at {str(directory)!r}: not a directory")
    if not segments(directory) and not (directory / heads.NAME).exists():
        raise ConfigurationError(f"no audit log at {str(directory)!r}: neither segments nor a head")
    walk = _Walk(directory, _key(directory, public_key))
    problem: _Problem | None = None
    try:
        walk.check(checkpoint)
    except _Problem as found:
        problem = found
    return Verification(
        ok=problem is None,
        records=walk.seq,
        problem=str(problem) if problem else None,
        kind=problem.kind if problem else None,
        sequence=problem.sequence if problem else None,
        signed_at=walk.signed_at,
        fingerprint=walk.key.fingerprint,
        pinned=public_key is not None,
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
        self.seq = 0
        self.signed_at = ""
        self._last = NO_PREVIOUS
        self._where = "the start of the log"

    def check(self, checkpoint: bytes | None) -> None:
        target = self._head()
        kept = self._kept(checkpoint)
        renewed = 0
        for line in self._lines():
            if self.seq == target.seq:  # all that this head signs is checked; what comes needs a newer one
                if renewed == 2:  # the log grows while we read: no need to chase it for ever
                    break
                target, renewed = self._newer(target, line), renewed + 1
                if not line.whole:
                    continue  # it was being written; it comes again
            self._step(line, target)
            for head, kind in ((target, "altered"), (kept, "rolled_back")):
                if head is not None and self.seq == head.seq and self._last != head.digest:
                    raise _Problem(kind, self.seq, f"record {self.seq} was altered: {_NAMES[kind]} signs another")
        if self.seq < target.seq:
            raise self._cut_off(target)
        if kept is not None and self.seq < kept.seq:
            raise _Problem(
                "rolled_back", self.seq + 1, f"the checkpoint signs {kept.seq} records, the log has {self.seq}"
            )
        self.signed_at = target.ts

    # -- heads ----------------------------------------------------------------------------------------------------

    def _head(self) -> Head:
        path = self.directory / heads.NAME
        for last_try in (False, True):
            try:
                signed = heads.parse(path.read_bytes())
            except OSError:
                raise _Problem("no_head", None, "the head is missing: nothing says where the log ends") from None
            if signed is not None and signed.signed_by(self.key):
                return signed.head
            if not last_try:
                time.sleep(_PAUSE_S)  # it may have been read while it was written
        raise self._unsigned_head()

    def _unsigned_head(self) -> _Problem:
        """Whose key, then? The genesis record names the one that began the log."""
        named = _genesis_key(self.directory)
        if named is not None and named != self.key.fingerprint:
            return _Problem("wrong_key", None, f"the log was begun with key {named}, not with {self.key.fingerprint}")
        return _Problem(
            "bad_signature", None, "the head's signature is wrong: it was changed, or signed with another key"
        )

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
                raise self._beyond(line, target)
            time.sleep(_PAUSE_S)
        return head

    def _beyond(self, line: RawLine, target: Head) -> _Problem:
        """Something stands after the last signed record, and no head is going to cover it."""
        at = f"after record {target.seq}, the last one signed"
        where = link(line.raw) if line.whole else None
        if not line.whole:
            return _Problem("cut_off", self.seq + 1, f"half a record stands {at}: the writer was interrupted")
        if where is not None and where.seq <= self.seq and where.prev != self._last:
            return self._repeated(line, where)
        return _Problem(
            "unsigned",
            self.seq + 1,
            f"unsigned records stand {at}: added by someone without the key, or by a gateway that was killed "
            "and will check and sign them when it starts again",
        )

    # -- lines ----------------------------------------------------------------------------------------------------

    def _lines(self) -> Iterator[RawLine]:
        """Every line of every segment, those included that appear while we read."""
        found = segments(self.directory)
        segment, offset = (found[0] if found else None), 0
        while segment is not None:
            # Listed before reading: a segment that has a successor gets no more lines, so its end is its end.
            later = [other for other in segments(self.directory) if other > segment]
            seen = False
            for line in lines(segment, offset):
                yield line
                seen, offset = True, line.end if line.whole else offset
            if later:
                segment, offset = later[0], 0
            elif not seen:
                return

    def _step(self, line: RawLine, target: Head) -> None:
        """Accept `line` as the next record, or say what is wrong."""
        expected = self.seq + 1
        where = link(line.raw) if line.whole else None
        if where is None:
            what = "is no longer a record" if line.whole else "stops in the middle"
            raise _Problem("altered" if line.whole else "cut_off", expected, f"record {expected} {what} ({_at(line)})")
        if where != (expected, self._last):
            raise self._misplaced(line, where, target)
        self.seq, self._last, self._where = expected, digest(line.raw), _at(line)
        if expected == 1:
            self._check_genesis(line)

    def _check_genesis(self, line: RawLine) -> None:
        named = _key_named(line.raw)
        if named != self.key.fingerprint:
            raise _Problem("wrong_key", 1, f"the log was begun with key {named}, not with {self.key.fingerprint}")

    # -- problems -------------------------------------------------------------------------------------------------

    def _misplaced(self, line: RawLine, where: Link, target: Head) -> _Problem:
        """`line` is not what should come next. Its number and its `prev` tell how it got there."""
        expected = self.seq + 1
        if where.prev == self._last:
            return _Problem(
                "altered", expected, f"record {expected} was altered: it says it is {where.seq} ({_at(line)})"
            )
        if where.seq < expected:
            return self._repeated(line, where)
        if where.seq > expected:
            return self._gap(line, where)
        # Right number, wrong `prev`: either the line before was altered, or this one. If what comes next agrees with
        # this line as it stands, this line is whole and the one before is not.
        if expected > 1 and self._confirmed(line, target):
            return _Problem(
                "altered",
                self.seq,
                f"record {self.seq} was altered: record {expected} names another hash for it ({self._where})",
            )
        return _Problem("altered", expected, f"record {expected} was altered ({_at(line)})")

    def _confirmed(self, line: RawLine, target: Head) -> bool:
        if self.seq + 1 == target.seq:
            return digest(line.raw) == target.digest
        following = next(self._after(line), None)
        where = link(following.raw) if following is not None else None
        return where is not None and where.prev == digest(line.raw)

    def _repeated(self, line: RawLine, where: Link) -> _Problem:
        return _Problem(
            "repeated", where.seq, f"record {where.seq} stands a second time, after record {self.seq} ({_at(line)})"
        )

    def _gap(self, line: RawLine, where: Link) -> _Problem:
        expected = self.seq + 1
        for later in self._after(line):
            found = link(later.raw)
            if found is not None and found.seq == expected:
                sentence = f"record {expected} stands after record {where.seq} ({_at(later)}) and belongs before it"
                return _Problem("reordered", expected, sentence)
        gone = f"record {expected} is" if where.seq == expected + 1 else f"records {expected} to {where.seq - 1} are"
        between = f"between {self._where} and {_at(line)}"
        return _Problem("missing", expected, f"{gone} missing {between}")

    def _cut_off(self, target: Head) -> _Problem:
        whole = "" if (self.directory / target.segment).exists() else f"; segment {target.segment} is gone"
        return _Problem(
            "cut_off", self.seq + 1, f"the head signs {target.seq} records and the log ends after {self.seq}{whole}"
        )

    def _after(self, line: RawLine) -> Iterator[RawLine]:
        yield from lines(line.segment, line.end)
        for segment in segments(self.directory):
            if segment > line.segment:
                yield from lines(segment)


_NAMES = {"altered": "the head", "rolled_back": "the checkpoint"}


def _at(line: RawLine) -> str:
    return f"{line.segment.name}, byte {line.end - len(line.raw) - line.whole}"


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

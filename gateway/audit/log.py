"""The log on disk, for one thread: appends whole groups of records, durable and signed when the call returns.

After any OSError the log is where it was after the last good append; `append` first mends what the failure left
behind and raises again for as long as that is not possible.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from gateway.audit import head as heads
from gateway.audit.head import Head
from gateway.audit.keys import Keys
from gateway.audit.record import NO_PREVIOUS, SCHEMA, Members, digest, encode, line, stamp
from gateway.audit.recover import day_of, find_tail
from gateway.audit.segments import LOCK, PUBLIC_KEY, name
from gateway.core.errors import ConfigurationError

_HEAD_SYNC_S = 1.0
"""How old the head on disk may be after a power cut. The records themselves are never older than their receipt."""


class Log:
    """One directory of segments, its head and its lock."""

    def __init__(self, directory: Path, keys: Keys, segment_bytes: int) -> None:
        self._directory = directory
        self._keys = keys
        self._segment_bytes = segment_bytes
        self._segment = directory / name(1)
        self._seq, self._digest, self._size, self._day = 0, NO_PREVIOUS, 0, ""
        self._fd = self._head_fd = self._lock_fd = -1
        self._inode = (0, 0)
        self._head_synced = 0.0
        self._broken = False

    @classmethod
    def open(cls, directory: Path, keys: Keys, segment_bytes: int) -> Log:
        """Continue the log in `directory` or begin one. Raises ConfigurationError."""
        log = cls(directory, keys, segment_bytes)
        try:
            log._start()
        except OSError as error:
            log.close()
            raise ConfigurationError(f"audit log in {str(directory)!r}: {error.strerror or error}") from None
        except BaseException:
            log.close()
            raise
        return log

    @property
    def sequence(self) -> int:
        """Number of the last record that is durable."""
        return self._seq

    def append(self, records: Sequence[bytes]) -> int:
        """Write, fsync and sign `records`; give the first one's sequence number. Raises OSError, and nothing stays."""
        if self._broken:
            self._mend()
        try:
            return self._append(records)
        except OSError:
            self._broken = True
            raise

    def close(self) -> None:
        if self._head_fd >= 0:
            with contextlib.suppress(OSError):
                _sync(self._head_fd)
        self._close_files()
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    # -- starting -------------------------------------------------------------------------------------------------

    def _start(self) -> None:
        self._directory.mkdir(mode=0o750, parents=True, exist_ok=True)
        try:
            self._lock_fd = self._take_lock()
        except BlockingIOError:
            raise ConfigurationError(
                f"another process writes to the audit log in {str(self._directory)!r}; give each its own directory"
            ) from None
        self._publish_key()
        tail = find_tail(self._directory, self._keys.public)
        if tail is not None:
            self._segment, self._size = tail.segment, tail.size
            self._seq, self._digest, self._day = tail.seq, tail.digest, day_of(tail.segment)
        self._open_files()
        if self._seq == 0:
            self.append([self._genesis()])
        elif tail is not None and (tail.unsigned or tail.cut):
            facts = {"why": "start", "unsigned_records": tail.unsigned, "cut_bytes": tail.cut}
            self.append([own_record("recovered", facts)])

    def _genesis(self) -> bytes:
        return own_record("genesis", {"schema": SCHEMA, "public_key": self._keys.public.fingerprint})

    def _publish_key(self) -> None:
        path = self._directory / PUBLIC_KEY
        if not path.exists():
            draft = path.with_suffix(".new")
            draft.write_bytes(self._keys.public.pem)
            draft.replace(path)
        elif path.read_bytes() != self._keys.public.pem:
            raise ConfigurationError(
                f"{str(path)!r} is not the public half of the signing key; bring the log's own keys back, "
                "or move the directory aside to start a new log"
            )

    def _take_lock(self) -> int:
        fd = os.open(self._directory / LOCK, os.O_RDWR | os.O_CREAT, 0o640)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(fd)
            raise
        return fd

    # -- appending ------------------------------------------------------------------------------------------------

    def _append(self, records: Sequence[bytes]) -> int:
        now = stamp(time.time())
        self._check_ground()
        if self._size and (self._size >= self._segment_bytes or self._day != now[:10]):
            self._next_segment()
        if not self._size:
            self._day = now[:10]
        seq, last = self._seq, self._digest
        block: list[bytes] = []
        for encoded in records:
            seq += 1
            raw = line(seq, encoded, last)
            last = digest(raw)
            block.append(raw)
        written = b"\n".join([*block, b""])
        _write(self._fd, written)
        _sync(self._fd)
        self._sign(Head(seq, last, self._segment.name, self._size + len(written), now))
        begun, self._seq, self._digest = self._seq + 1, seq, last
        self._size += len(written)
        return begun

    def _check_ground(self) -> None:
        """Raise unless the segment is still the file that a verifier would open, and as long as we left it.

        Writing to a deleted file succeeds; without this look, receipts would be given for records nobody can read.
        """
        there = os.stat(self._segment)  # noqa: PTH116 - once per commit, and Path.stat costs twice as much
        if (there.st_ino, there.st_dev, there.st_size) != (*self._inode, self._size):
            raise OSError(errno.ESTALE, "the segment was changed or replaced by someone else")

    def _sign(self, head: Head) -> None:
        os.pwrite(self._head_fd, heads.seal(head, self._keys), 0)
        if time.monotonic() - self._head_synced >= _HEAD_SYNC_S:
            if os.fstat(self._head_fd).st_nlink == 0:
                raise OSError(errno.ESTALE, "the head was removed or replaced by someone else")
            _sync(self._head_fd)
            self._head_synced = time.monotonic()

    def _next_segment(self) -> None:
        os.close(self._fd)
        self._fd = -1
        self._segment, self._size = self._directory / name(self._seq + 1), 0
        self._fd = self._open_segment()

    # -- files ----------------------------------------------------------------------------------------------------

    def _open_files(self) -> None:
        self._fd = self._open_segment()
        self._head_fd = os.open(self._directory / heads.NAME, os.O_WRONLY | os.O_CREAT, 0o640)

    def _open_segment(self) -> int:
        """Open the current segment at its known length, making it if need be; its name is durable on return."""
        fd = os.open(self._segment, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        try:
            opened = os.fstat(fd)
            self._inode = (opened.st_ino, opened.st_dev)
            if opened.st_size != self._size:
                os.ftruncate(fd, self._size)
                _sync(fd)
            folder = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError:
            os.close(fd)
            raise
        return fd

    def _mend(self) -> None:
        """Bring the files back to the last good append, or raise OSError. Four cases:

        1. A write failed half-way: the segment is longer than it should be and is cut back.
        2. The directory went away and came back: the same, with fresh descriptors and perhaps a fresh lock.
        3. The segment is gone or shorter than it was: the chain goes on in a new one, and verifying names the gap.
        4. Segment and head are both gone: this is not our directory. Stay unavailable.
        """
        self._close_files()
        size = self._segment.stat().st_size if self._segment.exists() else -1
        if size < 0 and not (self._directory / heads.NAME).exists():
            code = errno.ENOTDIR if self._directory.exists() and not self._directory.is_dir() else errno.ENOENT
            raise OSError(code, "the log is gone from its directory")
        self._keep_lock()
        if size < self._size:
            self._segment, self._size = self._directory / name(self._seq + 1), 0
        self._open_files()
        self._broken = False

    def _keep_lock(self) -> None:
        path = self._directory / LOCK
        if path.exists() and os.path.samestat(path.stat(), os.fstat(self._lock_fd)):
            return
        held, self._lock_fd = self._lock_fd, self._take_lock()
        os.close(held)

    def _close_files(self) -> None:
        for fd in (self._fd, self._head_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._head_fd = -1


def own_record(event: str, facts: dict[str, object]) -> bytes:
    """A record that the log writes about itself: nobody's request."""
    return encode(Members(stamp(time.time()), event, None, None, None, None, facts))


def _write(fd: int, block: bytes) -> None:
    view = memoryview(block)
    while view:
        view = view[os.write(fd, view) :]


def _sync(fd: int) -> None:
    if sys.platform == "darwin":  # fsync leaves the data in the drive's cache there
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        os.fdatasync(fd)  # length and data; access times are not evidence

"""The policy file in force: loaded at start, loaded again when it changes, never replaced by a broken one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread

from gateway.core.errors import ConfigurationError
from gateway.core.types import BackendSpec
from gateway.policy.doubts import ANY, Vocabulary
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.load import load_policy

OnChange = Callable[[str, str | None], None]
"""Told the digest in force and the mistake that kept a new file out, if one did."""

_Stamp = tuple[int, int, int]


class FilePolicySource:
    """Raises ConfigurationError when the first load fails; from then on every failure keeps the old policy."""

    def __init__(self, path: Path, backends: Sequence[BackendSpec], vocabulary: Vocabulary = ANY) -> None:
        self.path = path
        self.error: str | None = None
        """What is wrong with the file on disk, while an older policy is in force."""
        self._backends = tuple(backends)
        self._vocabulary = vocabulary
        self._stamp = self._read_stamp()
        self._policy = load_policy(path, self._backends, vocabulary)
        self.loaded_at = time.time()  # a date to show, not a duration

    def current(self) -> CompiledPolicy:
        return self._policy

    def changed(self) -> bool:
        """The file on disk is not the one last tried, by its date, size and inode."""
        return self._read_stamp() != self._stamp

    def reload(self) -> bool:
        """Try the file on disk. True when a policy with another digest took over."""
        # The stamp is taken before reading: a write in between shows up as one more change.
        self._stamp = self._read_stamp()
        try:
            policy = load_policy(self.path, self._backends, self._vocabulary)
        except ConfigurationError as error:
            self.error = str(error)
            return False
        self.error = None
        replaced = policy.digest != self._policy.digest
        self._policy = policy
        self.loaded_at = time.time()
        return replaced

    async def watch(self, interval_s: float, on_change: OnChange | None = None) -> None:
        """Look every `interval_s` seconds and reload upon change, until cancelled.

        Reading happens in a thread: a large file takes a while to parse and requests go on meanwhile.
        """
        while True:
            await anyio.sleep(interval_s)
            if not self.changed():
                continue
            before = self.error
            replaced = await anyio.to_thread.run_sync(self.reload)
            if on_change is not None and (replaced or self.error != before):
                on_change(self._policy.digest, self.error)

    def _read_stamp(self) -> _Stamp | None:
        try:
            stat = self.path.stat()
        except OSError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino


if TYPE_CHECKING:
    from gateway.core.ports import PolicySource

    _: PolicySource = FilePolicySource(Path(), ())

"""Copies of model files in other formats, in the user's cache: made once, complete or not there, checked when used."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gateway.engine.files.digest import known_sha256_of, sha256_of
from gateway.engine.files.errand import ErrandFailed, Unwanted, errand, never
from gateway.engine.files.gguf import read_head
from gateway.engine.files.places import cache_dir
from gateway.engine.files.weights import multiplied

VERSION = 1
"""Part of every copy's name: goes up when the same source is to be copied in another way."""
BITS = {"Q8_0": 8.5, "Q4_K_M": 5.5}
"""At most so many for a weight, to foresee the size of a copy."""
_LOOK_S = 0.1


class NotCopied(Exception):
    """There is no copy; the message is the reason, for the operator."""


class Copies:
    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or cache_dir() / "encoded"

    def get(
        self,
        source: Path,
        sha256: str | None,
        recipe: str,
        threads: int,
        report: Callable[[str], None],
        *,
        stopped: Callable[[], bool],
    ) -> Path:
        """The copy of `source` by `recipe`, made now if need be. Raises NotCopied or Unwanted."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            target = self._place(source, sha256, recipe)
            if _is_whole(target):
                return target
            with self._alone(target, stopped):
                if not _is_whole(target):  # another process may have made it meanwhile
                    self._make(source, target, recipe, threads, report, stopped)
            return target
        except OSError as error:
            raise NotCopied(f"the cache {str(self._folder)!r} cannot be used ({error.strerror})") from None
        except ErrandFailed as error:
            raise NotCopied(f"it could not be encoded as {recipe} ({error})") from None

    @contextmanager
    def borrowed(self, source: Path, sha256: str | None, recipe: str, threads: int) -> Iterator[Path]:
        """The copy that is kept, or one that is gone afterwards. Raises NotCopied."""
        kept = self._place(source, sha256, recipe)
        if _is_whole(kept):
            yield kept
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        self._check_room(source, recipe)
        with tempfile.TemporaryDirectory(dir=self._folder, prefix=".borrowed-") as folder:
            target = Path(folder) / kept.name
            write_copy(source, target, recipe, threads)
            yield target

    def _place(self, source: Path, sha256: str | None, recipe: str) -> Path:
        return self._folder / f"{sha256 or known_sha256_of(source)}.{recipe.lower()}.{VERSION}.gguf"

    def _make(
        self,
        source: Path,
        target: Path,
        recipe: str,
        threads: int,
        report: Callable[[str], None],
        stopped: Callable[[], bool],
    ) -> None:
        self._check_room(source, recipe)
        report(f"{source.name!r} is written once as {recipe}, in which this machine computes faster")
        began = time.monotonic()
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=f".{target.name}.", suffix=".part")
        os.close(handle)
        part = Path(name)
        try:
            write_copy(source, part, recipe, threads, stopped=stopped)
            _write_digest(target, sha256_of(part))
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        size = target.stat().st_size
        report(f"{str(target)!r} was written in {time.monotonic() - began:.1f} s ({size / 1e6:.0f} MB)")

    def _check_room(self, source: Path, recipe: str) -> None:
        need = int(sum(tensor.elements for tensor in multiplied(read_head(source))) * BITS[recipe] / 8)
        free = shutil.disk_usage(self._folder).free
        if need > free:
            raise NotCopied(
                f"a copy as {recipe} needs {need >> 20} MiB in {str(self._folder)!r} and {free >> 20} are free"
            )

    @contextmanager
    def _alone(self, target: Path, stopped: Callable[[], bool]) -> Iterator[None]:
        """One process at a time makes this copy; what a killed one has left behind is removed."""
        with (self._folder / f".{target.name}.lock").open("w") as lock:
            while not _locked(lock.fileno()):
                if stopped():
                    raise Unwanted
                time.sleep(_LOOK_S)
            for left in self._folder.glob(f".{target.name}.*.part"):
                left.unlink(missing_ok=True)
            yield


def write_copy(source: Path, target: Path, recipe: str, threads: int, *, stopped: Callable[[], bool] = never) -> None:
    """Write `source` as `recipe` into `target`, in a process of its own. Raises ErrandFailed or Unwanted."""
    job = {"source": str(source), "target": str(target), "recipe": recipe, "threads": threads}
    for _ in errand("gateway.engine.files.quantise", job, stopped=stopped):
        pass


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _is_whole(target: Path) -> bool:
    """Whether the copy is there with the content that was written. A digest that is missing counts as damage."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return known_sha256_of(target) == _digest_of(target).read_text(encoding="ascii").strip()
    return False


def _digest_of(target: Path) -> Path:
    return target.with_suffix(".sha256")


def _write_digest(target: Path, digest: str) -> None:
    place = _digest_of(target)
    written = place.with_name(f".{place.name}.{os.getpid()}")
    written.write_text(digest + "\n", encoding="ascii")
    written.replace(place)

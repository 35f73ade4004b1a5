"""`gateway models pull`: a model of the catalogue by its name, or any GGUF by URL or path, written down by id."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import httpx

from gateway.core.errors import ConfigurationError
from gateway.engine.files.catalogue import KNOWN, ModelFile, find
from gateway.engine.files.digest import sha256_of
from gateway.engine.files.places import data_dir
from gateway.engine.files.registry import Registered, register
from gateway.setup.download import Source, check_url, download
from gateway.setup.model import ensure_model
from gateway.setup.screen import Progress, Report, silent

_ID = re.compile(r"^[a-z0-9][a-z0-9._-]{0,79}$")
_DIGEST = re.compile(r"^[0-9a-fA-F]{64}$")
RESERVED = frozenset({"auto", "local"})


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the operator said on the command line."""

    source: str
    sha256: str | None = None
    name: str | None = None
    languages: Iterable[str] = ()
    context: int = 0
    licence: str = ""


def pull(wanted: Wanted, report: Report, progress: Progress = silent) -> ModelFile:
    """Get the model and register it. Raises ConfigurationError."""
    if wanted.source in KNOWN:
        ensure_model(wanted.source, report, progress)
        return find(wanted.source)
    if wanted.sha256 is not None and not _DIGEST.match(wanted.sha256):
        raise ConfigurationError("--sha256 wants 64 hexadecimal digits")
    is_url = "://" in wanted.source
    name = wanted.name or _name_of(wanted.source, is_url)
    if not _ID.match(name) or name in KNOWN or name in RESERVED:
        raise ConfigurationError(f"{name!r} cannot be a model's id; give one with --name (a-z, 0-9, . _ -)")
    folder = data_dir() / "models"
    if is_url:
        path, digest, source = _download(wanted, name, folder, report, progress)
    else:
        path, digest = _local(wanted)
        source = ""
    languages = tuple(sorted(set(wanted.languages)))
    register(folder, name, Registered(str(path), digest, wanted.context, languages, wanted.licence, source))
    return find(name)


def _download(wanted: Wanted, name: str, folder: Path, report: Report, progress: Progress) -> tuple[Path, str, str]:
    if wanted.sha256 is None:
        raise ConfigurationError("a download needs --sha256 HEX: the digest its publisher states")
    check_url(wanted.source)
    source = Source(wanted.source, wanted.sha256.lower())
    report(f"Downloading {source.plain}")
    path = download(source, folder / f"{name}.gguf", progress)
    try:
        _check_magic(path, source.plain)
    except ConfigurationError:
        path.unlink()
        raise
    return path, source.sha256, source.plain


def _local(wanted: Wanted) -> tuple[Path, str]:
    path = Path(wanted.source).expanduser().resolve()
    if not path.is_file():
        raise ConfigurationError(
            f"{wanted.source!r} is no known model, no URL and no file; known: {', '.join(sorted(KNOWN))}"
        )
    _check_magic(path, wanted.source)
    digest = sha256_of(path)
    if wanted.sha256 is not None and digest != wanted.sha256.lower():
        raise ConfigurationError(f"{wanted.source!r} has sha256 {digest}, expected {wanted.sha256.lower()}")
    return path, digest


def _check_magic(path: Path, source: str) -> None:
    """A GGUF says so in its first four bytes; anything else would only fail when a request waits for it."""
    try:
        with path.open("rb") as file:
            if file.read(4) == b"GGUF":
                return
    except OSError as error:
        raise ConfigurationError(f"cannot read {source!r}: {error.strerror}") from None
    raise ConfigurationError(f"{source!r} is not a GGUF file; the local engine reads no other format")


def _name_of(source: str, is_url: bool) -> str:
    path = httpx.URL(source).path if is_url else source
    return re.sub(r"[^a-z0-9._-]+", "-", PurePosixPath(path).stem.lower())

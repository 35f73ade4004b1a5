"""Where things lie: relative paths start at the configuration's folder, shipped policies beside the code."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gateway.core.errors import ConfigurationError
from gateway.engine.files.places import cache_dir, share_dir
from gateway.settings import Settings


@dataclass(frozen=True, slots=True)
class Places:
    policy: Path
    audit: Path
    keys: Path
    """Signing, pseudonym and cache keys: never inside the audit folder."""
    packs: Path
    """Compiled detector packs."""


def places(settings: Settings, folder: Path) -> Places:
    audit, keys = audit_places(settings, folder)
    return Places(find_policy(settings.policy.path, folder), audit, keys, packs_place(settings, folder))


def audit_places(settings: Settings, folder: Path) -> tuple[Path, Path]:
    """The audit folder and the folder of its keys."""
    audit = folder / settings.audit.dir
    return audit, folder / settings.audit.keys_dir if settings.audit.keys_dir else keys_beside(audit)


def keys_beside(audit: Path) -> Path:
    """Where the keys of an audit folder lie unless somebody said otherwise."""
    return audit.parent / "keys"


def find_policy(path: Path, folder: Path) -> Path:
    """The policy file meant: as named, or a shipped one when nothing lies there and the name is a shipped one's."""
    named = folder / path.expanduser()
    if named.is_file():
        return named
    if path.parent in {Path(), Path("policies")} and (shipped := shipped_policies() / path.name).is_file():
        return shipped
    raise ConfigurationError(f"there is no policy file {str(named)!r}; `gateway check FILE` checks one")


def shipped_policies() -> Path:
    """Beside the code in an installed gateway, at the top of a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "shipped" / "policies"
    return installed if installed.is_dir() else package.parent / "policies"


def packs_place(settings: Settings, folder: Path) -> Path:
    """The place named, else the pack that `make install` compiled into this environment, else the user's cache."""
    if settings.detect.cache_dir is not None:
        return folder / settings.detect.cache_dir
    shared = share_dir() / "detect"
    return shared if shared.is_dir() else cache_dir() / "detect"


def secret(path: Path) -> bytes:
    """A 32-byte secret kept in `path`, made on first use, readable by its owner alone."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        value = path.read_bytes()
        if len(value) < 32:
            raise ConfigurationError(f"the secret in {str(path)!r} is damaged: restore it or delete it") from None
        return value
    except OSError as error:
        raise ConfigurationError(f"cannot write the secret {str(path)!r}: {error.strerror}") from None
    value = os.urandom(32)
    with os.fdopen(descriptor, "wb") as file:
        file.write(value)
    return value

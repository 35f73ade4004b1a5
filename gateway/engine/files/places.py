"""Where model files, built wheels and their proofs lie on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

NAME = "slm-gateway"


def cache_dir() -> Path:
    """The user's own cache: survives a new virtual environment."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / NAME
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / NAME


def share_dir(prefix: str = sys.prefix) -> Path:
    """What was installed together with this Python environment."""
    return Path(prefix) / "share" / NAME


def data_dir() -> Path:
    """Where `gateway models pull` writes: the operator's place if one is named, else the user's cache."""
    named = os.environ.get("SLM_GATEWAY_DATA")
    return Path(named) if named else cache_dir()


def model_dirs() -> tuple[Path, ...]:
    """Folders searched for model files, the operator's first."""
    places = [data_dir(), share_dir(), cache_dir()]
    return tuple(dict.fromkeys(place / "models" for place in places))

"""The hash-locked requirements of the engine, read entry by entry so that parts of the lock can be installed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.core.errors import ConfigurationError

_NAME = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)\s*==")


def engine_lock() -> Path:
    """`requirements/engine.txt` of the checkout, or its copy in an installed package."""
    package = Path(__file__).resolve().parents[1]
    for place in (package / "shipped" / "engine.txt", package.parent / "requirements" / "engine.txt"):
        if place.is_file():
            return place
    raise ConfigurationError("requirements/engine.txt is missing: install slm-gateway again")


def entries(text: str) -> Mapping[str, str]:
    """Each requirement with its hashes, by normalised name; versions for different Pythons stay together."""
    found: dict[str, str] = {}
    for entry in re.split(r"(?<!\\)\n", text):
        name = _NAME.match(entry)
        if name is not None:
            key = re.sub(r"[-_.]+", "-", name.group(1)).lower()
            found[key] = f"{found[key]}\n{entry}" if key in found else entry
    return found

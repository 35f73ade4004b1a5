"""The small model that ships: found where it was installed, or fetched."""

from __future__ import annotations

from gateway.core.errors import ConfigurationError
from gateway.engine.files.catalogue import DEFAULT_MODEL, ModelFile, find
from gateway.setup import ensure_model


def default_model() -> ModelFile:
    try:
        return find(DEFAULT_MODEL)
    except ConfigurationError:
        ensure_model(DEFAULT_MODEL, print)
        return find(DEFAULT_MODEL)

"""Logging into memory, with the process's own configuration put back afterwards."""

from __future__ import annotations

import io
import logging
from collections.abc import Callable, Iterator
from typing import Any

import orjson
import pytest
import structlog

from gateway.telemetry import configure_logging

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def stream() -> Iterator[io.BytesIO]:
    """What was logged. Configure after asking for it."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    filters = {name: [*logging.getLogger(name).filters] for name in logging.root.manager.loggerDict}
    yield io.BytesIO()
    root.handlers, root.level = handlers, level
    for name in logging.root.manager.loggerDict:
        logging.getLogger(name).filters = filters.get(name, [])
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def lines(stream: io.BytesIO) -> Lines:
    """Configures JSON logging and reads back what was written."""
    configure_logging("info", "json", stream)
    return lambda: [orjson.loads(line) for line in stream.getvalue().splitlines()]

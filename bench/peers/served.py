"""What every server of a model is given alike in a measurement: the file, the threads, the context, the slots."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


@dataclass(frozen=True, slots=True)
class Served:
    file: Path
    threads: int
    context: int = 1024
    """Tokens for each request."""
    slots: int = 16
    """Requests answered at the same time, where the server can."""
    encode: Literal["auto", "off"] = "off"
    """Whether the gateway may re-encode the file, as it does unless told otherwise; nobody else has such a step."""
    isolation: Literal["process", "thread"] = "process"
    """Where the gateway's engine runs."""
    overflow: Literal["error", "shift"] = "error"
    """What the gateway does beyond the context."""

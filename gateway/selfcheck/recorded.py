"""What the gateway wrote down about its decisions, read as the log grows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Recorded:
    """The facts of every `decided` record in an audit folder. A line is read once."""

    def __init__(self, audit: Path) -> None:
        self._audit = audit
        self._read: dict[Path, int] = {}
        self._facts: dict[str, dict[str, Any]] = {}

    def facts(self, request_id: str) -> dict[str, Any] | None:
        """What was known when this request was decided."""
        if request_id not in self._facts:
            for segment in sorted(self._audit.glob("*.jsonl")):
                self._go_on(segment)
        return self._facts.get(request_id)

    def _go_on(self, segment: Path) -> None:
        with segment.open("rb") as file:
            file.seek(self._read.get(segment, 0))
            for line in file:
                if not line.endswith(b"\n"):
                    break  # it is being written
                self._read[segment] = self._read.get(segment, 0) + len(line)
                record = json.loads(line)
                if record["event"] == "decided":
                    self._facts[record["request_id"]] = record["facts"]

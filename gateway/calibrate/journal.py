"""What was answered already, so that a run that was killed goes on where it stopped. For its owner's eyes alone."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from gateway.calibrate.probes import Probe
from gateway.core.errors import ConfigurationError
from gateway.core.types import Json


@dataclass(frozen=True, slots=True)
class Answer:
    """What one model said to one probe."""

    text: str = field(repr=False)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    kept: str | None = None
    """Why it was not asked, or its answer does not count: a word such as `policy`."""
    begun: Json = field(default=None, repr=False)
    """How the answer began, where the model tells how sure it is: text, figures, finished."""


class Journal:
    """One line for each answer, written when it is there. A line that a crash cut off is asked for again."""

    def __init__(self, path: Path, *, fresh: bool = False) -> None:
        """Raises ConfigurationError. `fresh` forgets what is there."""
        self.path = path
        self._known: dict[tuple[str, str], Answer] = {}
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.exists() and not fresh:
                self._read(path.read_text(encoding="utf-8", errors="replace"))
            flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if fresh else os.O_APPEND)
            self._file = os.fdopen(os.open(path, flags, 0o600), "a", encoding="utf-8")
            self._file.write("\n")  # ends what a crash cut off
        except OSError as error:
            raise ConfigurationError(f"cannot write {str(path)!r}: {error.strerror}") from None

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def get(self, side: str, probe: Probe) -> Answer | None:
        """`side` names the model with all that its answer depends on."""
        return self._known.get((side, probe.digest))

    def add(self, side: str, probe: Probe, answer: Answer) -> None:
        self._known[side, probe.digest] = answer
        line = {"side": side, "probe": probe.digest, **asdict(answer)}
        self._file.write(json.dumps(line, ensure_ascii=False) + "\n")
        self._file.flush()

    def _read(self, text: str) -> None:
        for line in text.split("\n"):
            try:
                row = json.loads(line)
                key = row.pop("side"), row.pop("probe")
                self._known[key] = Answer(**row)
            except (ValueError, TypeError, KeyError, AttributeError):
                continue  # empty, cut off, or of another release

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
            # No link that somebody laid, and no file that somebody else owns or may read.
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600)
            self._file = os.fdopen(descriptor, "a+", encoding="utf-8", errors="replace")
            os.fchmod(descriptor, 0o600)
            if fresh:
                self._file.truncate(0)
            self._file.seek(0)
            self._read(self._file.read())
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
                if _is_whole(row):
                    self._known[key] = Answer(**row)
            except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
                continue  # empty, cut off, or of another release


def _is_whole(row: dict[str, Json]) -> bool:
    """Whether it holds what `add` writes: a file may have been edited since."""
    begun, counts = row.get("begun"), (row.get("prompt_tokens", 0), row.get("completion_tokens", 0))
    return (
        isinstance(row["text"], str)
        and all(type(count) is int for count in counts)
        and isinstance(row.get("kept"), str | None)
        and (begun is None or begun.keys() == {"text", "figures", "finished"})
    )

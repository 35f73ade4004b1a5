"""A program under measurement: how to start it, when it is ready and what its clients call the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.process import Running


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    command: tuple[str, ...]
    port: int
    ready: str
    model: str
    work: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def start(self, **env: str) -> Running:
        return Running(self.command, self.port, log=self.work / f"{self.name.split()[0]}.log", env={**self.env, **env})


class NotHere(Exception):
    """This peer cannot run on this machine; the message says why and what would help."""

"""How much work one file may be, and the one way to say that it was not read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    bytes: int = 10_000_000
    pages: int = 300
    characters: int = 500_000
    """Of text in one file."""
    files: int = 10
    """In one request; further ones stay unread."""
    objects: int = 100_000
    """In one PDF."""
    cpu_s: int = 5
    """Processor time for one file, in whole seconds as the system counts them."""
    wall_s: float = 10.0
    """By the clock on the wall, for all files of a request, waiting for a turn included."""
    memory_mb: int = 768
    """Address space of the process that opens a file."""


class Unread(Exception):
    """A file that stays unread, and the word for why. It holds nothing of the file."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason

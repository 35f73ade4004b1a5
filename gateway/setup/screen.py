"""Telling a person what takes so long: one line that moves on a terminal, a line now and then in a log."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

Report = Callable[[str], None]
"""Takes one finished line."""
Progress = Callable[[str, int, int], None]
"""Takes what is being done, how much of it is done, and how much there is."""


class Screen:
    """Report and Progress on one stream."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._tty = stream.isatty()
        self._open = False
        self._told: dict[str, int] = {}

    def report(self, line: str) -> None:
        self._close()
        self._stream.write(f"{line}\n")
        self._stream.flush()

    def progress(self, what: str, done: int, total: int) -> None:
        percent = 100 * done // max(1, total)
        if self._tty:
            self._stream.write(f"\r\x1b[K{what} {percent:3d} % [{'#' * (percent // 4):<25}]")
            self._stream.flush()
            self._open = True
        elif percent // 10 > self._told.get(what, 0):
            self._told[what] = percent // 10
            self.report(f"{what} {percent} %")

    def _close(self) -> None:
        if self._open:
            self._stream.write("\n")
            self._open = False


def silent(_what: str, _done: int, _total: int) -> None:
    """A Progress for those who want none."""

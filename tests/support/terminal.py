"""A command on a terminal of its own, for what it says to a person."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path


def on_a_terminal(folder: Path, stdin: str, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """What `gateway …` writes there, lines ending as terminals end them."""
    here, there = pty.openpty()
    command = [sys.executable, "-m", "gateway", *arguments]
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TERM")}
    environment |= {"TERM": "xterm", **(env or {})}
    text = b""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=there, cwd=folder, env=environment) as process:
        os.close(there)
        assert process.stdin is not None
        process.stdin.write(stdin.encode())
        process.stdin.close()
        with suppress(OSError):  # Linux's way to say that it is over; macOS gives nothing more to read
            while more := os.read(here, 100_000):
                text += more
    os.close(here)
    return text.decode()

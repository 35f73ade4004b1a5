"""pip in a process of its own: the operator's pip configuration decides which index is asked."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gateway.core.errors import ConfigurationError
from gateway.engine.files.places import cache_dir


def pip(
    python: Path,
    arguments: Sequence[str],
    *,
    doing: str,
    environ: Mapping[str, str] | None = None,
    line: Callable[[str], None] | None = None,
) -> None:
    """Run `python -m pip`. Raises ConfigurationError naming the log when it fails."""
    log = cache_dir() / "setup.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    command = [str(python), "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments]
    with log.open("w", encoding="utf-8") as kept:
        started = _start(command, environ)
        assert started.stdout is not None
        with started:
            for came in started.stdout:
                kept.write(came)
                if line is not None:
                    line(came)
    if started.returncode != 0:
        raise ConfigurationError(f"{doing} failed{_why(python)}; what pip said is in {str(log)!r}")


def _start(command: Sequence[str], environ: Mapping[str, str] | None) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603 - our own interpreter and fixed arguments
        command,
        env={**(os.environ if environ is None else environ), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
    )


def _why(python: Path) -> str:
    return "" if has(python, "pip") else f": {str(python)!r} has no pip; run `{python} -m ensurepip`"


def has(python: Path, *modules: str) -> bool:
    """Whether that Python could import all of these; none is imported."""
    asked = "import importlib.util as u, sys; sys.exit(not all(u.find_spec(m) for m in sys.argv[1:]))"
    # Isolated, so that a folder of that name in the working directory does not count.
    ran = subprocess.run([str(python), "-I", "-c", asked, *modules], capture_output=True, check=False)  # noqa: S603
    return ran.returncode == 0

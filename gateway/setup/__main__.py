"""`python -m gateway.setup`: engine, default model and compiled detectors into this environment."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from gateway.core.errors import ConfigurationError
from gateway.engine.files.catalogue import DEFAULT_MODEL
from gateway.engine.files.places import share_dir
from gateway.setup.engine import ensure_engine
from gateway.setup.model import ensure_model
from gateway.setup.screen import Screen


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m gateway.setup", description=__doc__)
    parser.add_argument("--engine", action="store_true", help="llama-cpp-python alone")
    parser.add_argument("--model", nargs="?", const=DEFAULT_MODEL, metavar="ID", help=f"a model ({DEFAULT_MODEL})")
    parser.add_argument("--detectors", action="store_true", help="the compiled detector pack alone")
    parser.add_argument("--into", type=Path, default=None, metavar="VENV", help="another virtual environment")
    asked = parser.parse_args(arguments)
    everything = not (asked.engine or asked.model or asked.detectors)
    screen = Screen(sys.stderr)
    prefix = asked.into or Path(sys.prefix)
    python = asked.into / "bin" / "python" if asked.into is not None else Path(sys.executable)
    try:
        if asked.engine or everything:
            ensure_engine(screen.report, screen.progress, python=python)
        if asked.model or everything:
            ensure_model(asked.model or DEFAULT_MODEL, screen.report, screen.progress, into=prefix, python=python)
        if asked.detectors or everything:
            _compile_detectors(share_dir(str(prefix)) / "detect")
    except ConfigurationError as error:
        screen.report(str(error))
        return 2
    return 0


def _compile_detectors(folder: Path) -> None:
    """Here and not at the first request: the compiled rules are kept on disk and loaded in milliseconds."""
    from gateway.detect import Scanner

    folder.mkdir(parents=True, exist_ok=True)
    Scanner.load(cache_dir=folder)


if __name__ == "__main__":
    sys.exit(main())

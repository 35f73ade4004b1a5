"""What the benchmarks' tests share."""

from __future__ import annotations

import sys


def pytest_unconfigure() -> None:
    """llama_cpp opens /dev/null at import and never closes it: a warning after the last test, for each of two files."""
    opened = sys.modules.get("llama_cpp._utils")
    for name in ("outnull_file", "errnull_file"):
        if opened is not None:
            getattr(opened, name).close()

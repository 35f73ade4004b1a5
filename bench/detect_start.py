"""Loads the gateway's detectors in a fresh process and says what that took: `python -m bench.detect_start CACHE`."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path


def memory_mb() -> float:
    """What this process holds now; its peak counts what the compiler of the rules needed once."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def main() -> None:
    began, spent, before = time.perf_counter(), time.process_time(), memory_mb()
    from gateway.detect import Scanner

    scanner = Scanner.load(cache_dir=Path(sys.argv[1]))
    scanner.find_in_text("A first text, so that whatever is loaded late is loaded now: +39 346 507 5291.")
    found = {
        "load_s": time.perf_counter() - began,
        "load_ms": (time.process_time() - spent) * 1e3,
        "memory_mb": memory_mb(),
        "of_them_detectors_mb": memory_mb() - before,
    }
    print(json.dumps(found))


if __name__ == "__main__":
    main()

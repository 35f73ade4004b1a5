"""Answers texts on stdin with places and times on stdout. Needs nothing but Python: it runs in foreign environments."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Look = Callable[[str], list[tuple[int, int, str, float]]]


class Late(Exception):
    """Raised by the alarm inside whatever the detector is doing."""


def answer(load: Callable[[], Look]) -> None:
    """Load the detector, say what that cost, then answer until stdin ends."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a library that prints must not speak between the answers
    signal.signal(signal.SIGALRM, _late)
    began, spent = time.perf_counter(), time.process_time()
    look = load()
    look("A first text, so that whatever is loaded late is loaded now.")
    start = {
        "load_s": time.perf_counter() - began,
        "load_ms": (time.process_time() - spent) * 1e3,
        "memory_mb": int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6,
    }
    _say(out, start)
    for line in sys.stdin:
        asked = json.loads(line)
        _say(out, _timed(look, asked["text"], asked["limit_s"]))


def _timed(look: Look, text: str, limit_s: float) -> dict[str, Any]:
    spent = time.process_time()
    signal.setitimer(signal.ITIMER_REAL, limit_s)
    try:
        spans = look(text)
    except Late:
        return {"late": True, "spans": [], "ms": (time.process_time() - spent) * 1e3}
    except Exception as error:  # somebody else's library: a text it cannot read has no findings
        return {"failed": type(error).__name__, "spans": [], "ms": (time.process_time() - spent) * 1e3}
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
    return {"spans": spans, "ms": (time.process_time() - spent) * 1e3}


def _late(signum: int, frame: object) -> None:
    raise Late


def _say(out: Any, what: dict[str, Any]) -> None:
    out.write(json.dumps(what) + "\n")
    out.flush()

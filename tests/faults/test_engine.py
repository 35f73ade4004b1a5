"""A running gateway whose model dies again and again: it says so, turns requests away at once, and goes on living."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.chaos import child_of
from tests.support.serving import Serving, serving

pytestmark = pytest.mark.model


def shoot_until_it_rests(gateway: Serving) -> int:
    """Every child as soon as it is there; how many it took until the gateway started no other."""
    shot: set[int] = set()
    until = time.monotonic() + 180
    while time.monotonic() < until:
        child = child_of(gateway.process.pid)
        if child is not None:
            shot.add(child)
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        if "in a row" in gateway.get("/readyz?zone=local").text and child is None:
            return len(shot)
        time.sleep(0.01)
    raise AssertionError(f"{len(shot)} children in a row, and the next one is tried")


def test_a_crash_loop_makes_the_engine_rest_and_readyz_says_so(tmp_path: Path) -> None:
    with serving(tmp_path, {"local": {"context": 256}, "backends": []}, ready="?zone=local") as gateway:
        assert 5 <= shoot_until_it_rests(gateway) <= 7
        local = gateway.get("/readyz?zone=local")
        assert local.status_code == 503
        assert "SIGKILL" in local.json()["parts"]["local"]["problem"]
        assert gateway.get("/healthz").status_code == 200
        began = time.monotonic()
        answer = gateway.ask("Hi", model="local")
        assert time.monotonic() - began < 15, "nobody waits for a model that rests"
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "local_unavailable")
        assert 1 <= int(answer.headers["retry-after"]) <= 30
        records = gateway.of(answer.headers["x-request-id"])
        assert [record["event"] for record in records] == ["decided", "outcome"]
        assert gateway.stop() == 0

"""What other programs had of the machine meanwhile: theirs alone, and never an error."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.engine.tuning.beside import Beside

TICKS = os.sysconf("SC_CLK_TCK")
PROCESSORS = os.cpu_count() or 1


def stat(path: Path, busy_s: float, idle_s: float = 0.0, stolen_s: float = 0.0) -> Path:
    busy, idle, stolen = (round(seconds * TICKS) for seconds in (busy_s, idle_s, stolen_s))
    path.write_text(f"cpu  {busy} 0 0 {idle} {idle} 0 0 {stolen} 0 0\ncpu0 1 2 3\n")
    return path


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("later", "share"),
    [
        ({"busy_s": 1000 + 50 * PROCESSORS, "idle_s": 900}, 0.5),
        ({"busy_s": 1000, "idle_s": 900, "stolen_s": 25 * PROCESSORS}, 0.25),
        ({"busy_s": 1000, "idle_s": 900}, 0.0),
        ({"busy_s": 900}, 0.0),
    ],
    ids=["half of it", "what a hypervisor takes", "nobody", "a counter that goes back"],
)
def test_the_share_is_of_all_processors(tmp_path: Path, later: dict[str, float], share: float) -> None:
    clock = Clock()
    beside = Beside(stat(tmp_path / "stat", 1000), clock)
    clock.now += 100
    stat(tmp_path / "stat", **later)
    assert beside.share() == pytest.approx(share, abs=0.01)


def test_a_child_that_has_ended_is_not_somebody_else(tmp_path: Path) -> None:
    clock = Clock()
    beside = Beside(stat(tmp_path / "stat", 1000), clock)
    before = sum(os.times()[:4])
    subprocess.run([sys.executable, "-c", "sum(range(6_000_000))"], check=True)
    spent = sum(os.times()[:4]) - before
    assert spent > 0.05
    clock.now += 1
    stat(tmp_path / "stat", 1000 + spent)
    assert beside.share() == pytest.approx(0, abs=0.03)


@pytest.mark.parametrize("content", [None, "", "cpu 1 2", "cpu a b c d e f g h"])
def test_where_the_system_does_not_say_nobody_is_suspected(tmp_path: Path, content: str | None) -> None:
    clock = Clock()
    if content is not None:
        (tmp_path / "stat").write_text(content)
    beside = Beside(tmp_path / "stat", clock)
    clock.now += 1
    assert beside.share() == 0

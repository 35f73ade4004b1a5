"""Memory and cores, as machines and containers state them; and what a child inherits."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gateway.engine.hosting import child_environment
from gateway.engine.machine import available_bytes, physical_cores

CPUINFO = "physical id : 0\ncore id : 0\n\nphysical id : 0\ncore id : 0\n\nphysical id : 1\ncore id : 0\n"


def test_a_containers_limit_counts_where_it_is_tighter(tmp_path: Path) -> None:
    meminfo = tmp_path / "meminfo"
    meminfo.write_text("MemTotal: 9000 kB\nMemAvailable: 8000 kB\n")
    assert available_bytes(meminfo, tmp_path) == 8_192_000
    (tmp_path / "memory.current").write_text("1000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert available_bytes(meminfo, tmp_path) == 8_192_000
    (tmp_path / "memory.max").write_text("5000\n")
    assert available_bytes(meminfo, tmp_path) == 4000


@pytest.mark.parametrize(("quota", "most"), [("max 100000", 2), ("100000 100000", 1), ("50000 100000", 1)])
def test_hyper_threads_and_quotas_make_no_cores(tmp_path: Path, quota: str, most: int) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(CPUINFO)
    (tmp_path / "cpu.max").write_text(quota)
    assert 1 <= physical_cores(cpuinfo, tmp_path) <= most


def test_there_is_always_one_core(tmp_path: Path) -> None:
    assert physical_cores(tmp_path / "none", tmp_path) >= 1


def test_importing_the_engine_imports_no_vendor_library() -> None:
    asked = "import sys, gateway.engine.local; print(sorted({'llama_cpp', 'numpy', 'jinja2'} & set(sys.modules)))"
    assert subprocess.check_output([sys.executable, "-c", asked], text=True) == "[]\n"


def test_a_child_inherits_no_secret() -> None:
    environment = child_environment({"OPENAI_API_KEY": "sk-1", "PATH": "/bin", "GOMP_SPINCOUNT": "7"})
    assert "OPENAI_API_KEY" not in environment
    assert environment["PATH"] == "/bin"
    assert environment["GOMP_SPINCOUNT"] == "7"
    assert environment["GGML_NO_BACKTRACE"] == "1"

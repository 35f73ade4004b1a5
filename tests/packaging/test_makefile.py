"""`make` alone lists the targets, what is done is not done again, and what is missing is said in one sentence."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

TARGETS = ["install", "run", "test", "lint", "types", "bench", "docs"]
STEPS = ["venv", "run", "package", "setup", "dev"]


def make(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As a person would: what an outer make, which may be running these tests, says to an inner one is left out."""
    outer = {"MAKEFLAGS", "MFLAGS", "MAKELEVEL", "GATEWAY_LOCAL", "VENV"}
    env = {name: value for name, value in os.environ.items() if name not in outer}
    return subprocess.run(["make", *arguments], cwd=root, env=env, capture_output=True, text=True, timeout=300)


@pytest.fixture
def done(root: Path, tmp_path: Path) -> Path:
    """A virtual environment in which every step carries its stamp."""
    (tmp_path / "done").mkdir()
    for step in STEPS:
        (tmp_path / "done" / step).touch()
    return tmp_path


def test_make_alone_lists_every_target_with_a_line_about_it(root: Path) -> None:
    listed = dict(line.removeprefix("make ").split(maxsplit=1) for line in make(root).stdout.splitlines())
    assert set(TARGETS) <= set(listed)


def test_every_listed_target_exists(root: Path) -> None:
    for line in make(root).stdout.splitlines():
        assert make(root, "--dry-run", line.split()[1]).returncode == 0, line


def test_a_second_install_has_nothing_to_do(root: Path, done: Path) -> None:
    assert make(root, "--question", f"{done}/done/setup", f"VENV={done}").returncode == 0


@pytest.mark.parametrize(
    ("changed", "target", "again"),
    [
        pytest.param("requirements/run.txt", "install", "-r requirements/run.txt", id="a new lock is installed"),
        pytest.param("requirements/engine.txt", "install", "-m gateway.setup", id="a new engine is built"),
        pytest.param("requirements/dev.txt", "lint", "-r requirements/dev.txt", id="new test tools are installed"),
        pytest.param("pyproject.toml", "install", "--editable .", id="new metadata is installed"),
    ],
)
def test_a_changed_file_repeats_the_steps_that_rest_on_it(
    root: Path, done: Path, changed: str, target: str, again: str
) -> None:
    planned = make(root, "--dry-run", f"--what-if={changed}", target, f"VENV={done}")
    assert again in planned.stdout


def test_with_a_canned_model_neither_engine_nor_model_are_brought_here(root: Path, done: Path) -> None:
    planned = make(root, "--dry-run", "install", f"VENV={done}", "GATEWAY_LOCAL=canned").stdout
    assert "-m gateway.setup --detectors" in planned
    assert make(root, "--question", f"{done}/done/setup", f"VENV={done}").returncode == 0


def _program(folder: Path, name: str, body: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


OLD = 'case "$1" in --version) echo Python 3.9.6 ;; *) exit 1 ;; esac'
NO_VENV = 'case "$2" in *ensurepip*) exit 1 ;; esac'
FINE = "exit 0"


@pytest.mark.parametrize(
    ("python", "compiler", "says"),
    [
        pytest.param(OLD, FINE, "needs Python 3.11 to 3.13 and ./python is Python 3.9.6", id="an old Python"),
        pytest.param("exit 127", FINE, "./python is not to be found", id="no Python"),
        pytest.param(NO_VENV, FINE, "python3-venv", id="no venv module"),
        pytest.param(FINE, "exit 1", "C++ compiler", id="no compiler"),
    ],
)
def test_what_the_machine_lacks_is_said_in_one_sentence(
    root: Path, tmp_path: Path, python: str, compiler: str, says: str
) -> None:
    _program(tmp_path, "python", python)
    _program(tmp_path, "c++", compiler)
    answer = preflight(root, tmp_path)
    assert answer.returncode != 0
    assert says in answer.stderr
    assert len(answer.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("kept", "local"),
    [
        pytest.param(
            "slm-gateway/wheels/llama_cpp_python-0.3.36-py3-none-any.whl", "", id="a wheel from an earlier time"
        ),
        pytest.param("", "canned", id="a canned model"),
    ],
)
def test_no_compiler_is_asked_for_where_nothing_will_be_compiled(
    root: Path, tmp_path: Path, kept: str, local: str
) -> None:
    _program(tmp_path, "python", FINE)
    _program(tmp_path, "c++", "exit 1")
    if kept:
        for cache in (".cache", "Library/Caches"):
            (tmp_path / cache / kept).parent.mkdir(parents=True)
            (tmp_path / cache / kept).touch()
    assert preflight(root, tmp_path, GATEWAY_LOCAL=local).returncode == 0


def preflight(root: Path, folder: Path, **env: str) -> subprocess.CompletedProcess[str]:
    here = {"PATH": f"{folder}:{os.environ['PATH']}", "HOME": str(folder), "CXX": str(folder / "c++"), **env}
    script = root / "scripts" / "preflight"
    return subprocess.run([script, "./python"], cwd=folder, env=here, capture_output=True, text=True, timeout=300)

"""The scripts beside the code: they can be run, are well-formed, and what they promise to find they find."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPTS = [".ci/run", "scripts/lock", "scripts/preflight", "scripts/check-tracked"]


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_can_be_run_and_its_shell_understands_it(root: Path, script: str) -> None:
    path = root / script
    assert os.access(path, os.X_OK)
    shell = path.read_text().splitlines()[0].removeprefix("#!").split()[-1]
    assert subprocess.run([Path(shell).name, "-n", path], capture_output=True, timeout=10).returncode == 0


def test_ci_stops_at_the_first_failure_and_ends_with_the_tests(root: Path) -> None:
    text = (root / ".ci" / "run").read_text()
    assert "set -euo pipefail" in text
    steps = [line for line in text.splitlines() if line.startswith("make ")]
    assert steps == ["make lint", "make types", "make test"]


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, timeout=10)


@pytest.mark.parametrize(
    ("line", "fine"),
    [
        pytest.param("see https://example.com/work/here", True, id="an address that only looks like a path"),
        pytest.param("COPY . /opt/slm-gateway", True, id="a folder of the image"),
        pytest.param("--index-url https://" + "pypi" + ".org/simple", False, id="an index"),
        pytest.param("model: " + "/ro" + "ot/models/a.gguf", False, id="a folder of one machine"),
    ],
)
def test_hosts_of_package_indexes_and_machine_paths_are_found(
    root: Path, tmp_path: Path, line: str, fine: bool
) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "check-tracked").write_bytes((root / "scripts" / "check-tracked").read_bytes())
    (tmp_path / "scripts" / "check-tracked").chmod(0o755)
    (tmp_path / "notes.md").write_text(line + "\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    answer = subprocess.run([tmp_path / "scripts" / "check-tracked"], capture_output=True, text=True, timeout=10)
    assert (answer.returncode == 0) == fine, answer.stdout

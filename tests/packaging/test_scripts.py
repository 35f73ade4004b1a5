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
    assert subprocess.run([Path(shell).name, "-n", path], capture_output=True, timeout=300).returncode == 0


def test_ci_stops_at_the_first_failure_and_ends_with_the_tests(root: Path) -> None:
    text = (root / ".ci" / "run").read_text()
    assert "set -euo pipefail" in text
    steps = [line for line in text.splitlines() if line.startswith("make ")]
    assert steps == ["make lint", "make types", "make test"]


def git(folder: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=folder, check=True, capture_output=True, timeout=300)


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
    script = copied(root, tmp_path)
    (tmp_path / "notes.md").write_text(line + "\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    for owner in ({}, {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1"}):
        answer = checked(script, **owner)
        assert answer.returncode == (0 if fine else 1), answer.stdout + answer.stderr


def test_a_folder_that_git_cannot_search_is_no_folder_without_findings(root: Path, tmp_path: Path) -> None:
    answer = checked(copied(root, tmp_path), GIT_CEILING_DIRECTORIES=str(tmp_path.parent))
    assert answer.returncode not in {0, 1}
    assert "Nothing was checked" in answer.stderr


def copied(root: Path, folder: Path) -> Path:
    script = folder / "scripts" / "check-tracked"
    script.parent.mkdir()
    script.write_bytes((root / "scripts" / "check-tracked").read_bytes())
    script.chmod(0o755)
    return script


def checked(script: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([script], capture_output=True, text=True, timeout=300, env={**os.environ, **environment})

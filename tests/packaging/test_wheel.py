"""The wheel that `pip install slm-gateway` would get holds all that an installed gateway needs."""

from __future__ import annotations

import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def wheel(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    built = subprocess.run([*command, "--wheel-dir", folder, root], capture_output=True, text=True, timeout=300)
    assert built.returncode == 0, built.stderr
    (path,) = folder.glob("slm_gateway-*-py3-none-any.whl")
    with zipfile.ZipFile(path) as archive:
        yield archive


def tracked(root: Path, folder: str) -> set[str]:
    return {
        path.relative_to(root).as_posix()
        for path in (root / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith(".")
    }


def test_it_holds_every_module_and_data_file_of_the_package(root: Path, wheel: zipfile.ZipFile) -> None:
    assert tracked(root, "gateway") - set(wheel.namelist()) == set()


def test_it_holds_the_shipped_policies_with_their_cases(root: Path, wheel: zipfile.ZipFile) -> None:
    shipped = {f"gateway/shipped/{name}" for name in tracked(root, "policies")}
    assert shipped - set(wheel.namelist()) == set()
    for name in ("default.yaml", "earned.yaml", "strict.yaml", "default.cases.yaml", "schema.json"):
        assert f"gateway/shipped/policies/{name}" in wheel.namelist()


def test_it_holds_the_lock_from_which_the_engine_is_built(root: Path, wheel: zipfile.ZipFile) -> None:
    assert wheel.read("gateway/shipped/engine.txt") == (root / "requirements" / "engine.txt").read_bytes()


def test_it_installs_the_command(root: Path, wheel: zipfile.ZipFile) -> None:
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    info = f"slm_gateway-{version}.dist-info"
    assert "gateway = gateway.cli:main" in wheel.read(f"{info}/entry_points.txt").decode()
    metadata = wheel.read(f"{info}/METADATA").decode()
    assert "License-Expression: Apache-2.0" in metadata
    assert f"{info}/licenses/LICENSE" in wheel.namelist()


def test_it_holds_neither_tests_nor_benches(wheel: zipfile.ZipFile) -> None:
    assert {name.split("/")[0].split("-")[0] for name in wheel.namelist()} == {"gateway", "slm_gateway"}


def test_the_changelog_speaks_of_this_version(root: Path) -> None:
    version = tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"]
    assert f"\n## {version} " in (root / "CHANGELOG.md").read_text()

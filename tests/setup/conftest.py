"""A machine of its own for each test: own cache, own data, and an interpreter whose pip follows a script."""

from __future__ import annotations

import json
import stat
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FAKE = '''#!{python}
"""Stands in for another environment's Python: records what pip is asked, and does what a plan says."""
import json, os, pathlib, sys

home = pathlib.Path(__file__).parent.parent
plan = json.loads((home / "plan.json").read_text())
arguments = sys.argv[1:]
if arguments[:2] == ["-I", "-c"]:
    modules = set(arguments[3:])
    sys.exit(0 if modules <= set(plan["has"]) else 1)
pip = arguments[4:]
listed = [a for a in pip if a.endswith(".txt")]
entry = {{"pip": pip, "cmake": os.environ.get("CMAKE_ARGS", "")}}
entry["locked"] = [pathlib.Path(a).read_text() for a in listed]
for word in entry["cmake"].split():
    if word.startswith("-DCMAKE_PROJECT_INCLUDE="):
        entry["include"] = pathlib.Path(word.partition("=")[2]).read_text()
with open(home / "asked.jsonl", "a") as file:
    file.write(json.dumps(entry) + "\\n")
for flag in ("--wheel-dir", "--dest"):
    if flag in pip:
        folder = pathlib.Path(pip[pip.index(flag) + 1])
        folder.mkdir(exist_ok=True)
        for source in plan["gives"]:
            (folder / pathlib.Path(source).name).write_bytes(pathlib.Path(source).read_bytes())
print(pathlib.Path(plan["says"]).read_text() if plan["says"] else "ok")
sys.exit(plan["status"])
'''


class Environment:
    """A made virtual environment."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.python = home / "bin" / "python"
        self.python.parent.mkdir(parents=True)
        self.python.write_text(FAKE.format(python=sys.executable))
        self.python.chmod(self.python.stat().st_mode | stat.S_IXUSR)
        self.plan()

    def plan(
        self, *, has: tuple[str, ...] = ("pip",), gives: tuple[Path, ...] = (), says: str = "", status: int = 0
    ) -> None:
        plan = {"has": has, "gives": [str(path) for path in gives], "says": says, "status": status}
        (self.home / "plan.json").write_text(json.dumps(plan))

    @property
    def asked(self) -> list[dict[str, Any]]:
        """What its pip was asked, in order."""
        record = self.home / "asked.jsonl"
        return [json.loads(line) for line in record.read_text().splitlines()] if record.exists() else []


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLM_GATEWAY_DATA", str(tmp_path / "data"))
    monkeypatch.setattr("gateway.engine.files.places.share_dir", lambda: tmp_path / "share")
    for name in ("GATEWAY_ACCEL", "CMAKE_ARGS", "GATEWAY_SETUP"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def environment(tmp_path: Path) -> Callable[[str], Environment]:
    return lambda name: Environment(tmp_path / name)


@pytest.fixture
def made_wheel(tmp_path: Path) -> Callable[..., Path]:
    def make(member: str, content: bytes, name: str = "model-1-py3-none-any.whl") -> Path:
        path = tmp_path / name
        with zipfile.ZipFile(path, "w") as packed:
            packed.writestr(member, content)
        return path

    return make


@pytest.fixture
def told() -> list[str]:
    return []

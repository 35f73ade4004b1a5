"""Building and installing llama-cpp-python: asked of pip once, kept, and explained where it cannot be done."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import ConfigurationError
from gateway.engine.files.places import cache_dir
from gateway.setup.engine import check_compiler, ensure_engine, steps
from gateway.setup.locked import engine_lock, entries
from gateway.setup.recipe import Recipe

LOG = Path(__file__).parent / "data" / "build-log.txt"
NEEDS = ("numpy", "jinja2", "diskcache", "typing_extensions")
TOOLS = ("scikit_build_core", "cmake")


@pytest.fixture
def wheel(made_wheel: Callable[..., Path]) -> Path:
    return made_wheel("llama_cpp/__init__.py", b"", "llama_cpp_python-0.3.36-py3-none-any.whl")


@pytest.fixture
def compiler(tmp_path: Path) -> dict[str, str]:
    """An environment in which a compiler of each language exists."""
    folder = tmp_path / "compilers"
    folder.mkdir()
    for name in ("gcc", "g++"):
        (folder / name).write_text("#!/bin/sh\n")
        (folder / name).chmod(0o755)
    return {**os.environ, "PATH": str(folder)}


def test_it_is_built_with_portable_flags_and_installed(
    environment: Callable[[str], Any], wheel: Path, compiler: dict[str, str], told: list[str]
) -> None:
    fresh = environment("venv")
    fresh.plan(has=("pip", *NEEDS, *TOOLS), gives=(wheel,), says=str(LOG))
    seen: list[tuple[int, int]] = []
    ensure_engine(told.append, lambda _, *step: seen.append(step), python=fresh.python, environ=compiler)
    build, install = fresh.asked
    assert build["pip"][0] == "wheel"
    assert {"--require-hashes", "--no-deps", "--no-cache-dir", "--no-build-isolation"} <= set(build["pip"])
    assert build["locked"][0].startswith("llama-cpp-python==0.3.36")
    assert "--hash=sha256:" in build["locked"][0]
    assert {"-DLLAVA_BUILD=OFF", "-DGGML_NATIVE=ON"} <= set(build["cmake"].split())
    assert build["include"] == "set(LLAMA_BUILD_COMMON OFF)\n"
    assert install["pip"][:1] == ["install"]
    assert {"--no-index", "--no-deps"} <= set(install["pip"])
    assert seen == [(step, 83) for step in range(1, 84)]
    assert any("two minutes" in line for line in told)


def test_a_second_environment_installs_the_kept_wheel(
    environment: Callable[[str], Any], wheel: Path, compiler: dict[str, str], told: list[str]
) -> None:
    first, second = environment("one"), environment("two")
    first.plan(has=("pip", *NEEDS), gives=(wheel,))
    second.plan(has=("pip", *NEEDS))
    ensure_engine(told.append, python=first.python, environ=compiler)
    assert "--no-build-isolation" not in first.asked[0]["pip"], "without the tools pip fetches them"
    ensure_engine(told.append, python=second.python, environ={"PATH": ""})
    assert [asked["pip"][0] for asked in second.asked] == ["install"]
    kept = Path(second.asked[0]["pip"][-1])
    assert kept.is_relative_to(cache_dir() / "wheels")
    assert kept.read_bytes() == wheel.read_bytes()


def test_what_it_imports_is_installed_by_hash_and_only_what_is_missing(
    environment: Callable[[str], Any], wheel: Path, compiler: dict[str, str], told: list[str]
) -> None:
    fresh = environment("venv")
    fresh.plan(has=("pip", "numpy", "typing_extensions"), gives=(wheel,))
    ensure_engine(told.append, python=fresh.python, environ=compiler)
    needs = fresh.asked[1]
    assert "--require-hashes" in needs["pip"]
    assert set(entries(needs["locked"][0])) == {"jinja2", "diskcache", "markupsafe"}


def test_where_it_is_already_nothing_is_asked(environment: Callable[[str], Any], told: list[str]) -> None:
    done = environment("venv")
    done.plan(has=("llama_cpp", *NEEDS))
    ensure_engine(told.append, python=done.python)
    assert done.asked == []
    assert told == []


def test_a_failing_build_names_the_log_and_keeps_nothing(
    environment: Callable[[str], Any], compiler: dict[str, str], told: list[str]
) -> None:
    fresh = environment("venv")
    fresh.plan(has=("pip",), status=1, says=str(LOG))
    with pytest.raises(ConfigurationError, match=r"building llama-cpp-python failed; .*setup\.log"):
        ensure_engine(told.append, python=fresh.python, environ=compiler)
    assert "Building project with Ninja" in (cache_dir() / "setup.log").read_text()
    assert list((cache_dir() / "wheels").iterdir()) == []


def test_an_environment_without_pip_is_named(
    environment: Callable[[str], Any], compiler: dict[str, str], told: list[str]
) -> None:
    fresh = environment("venv")
    fresh.plan(has=(), status=1)
    with pytest.raises(ConfigurationError, match="has no pip"):
        ensure_engine(told.append, python=fresh.python, environ=compiler)


def test_without_a_compiler_one_sentence_says_what_to_do(environment: Callable[[str], Any]) -> None:
    fresh = environment("venv")
    command = [sys.executable, "-m", "gateway.setup", "--engine", "--into", str(fresh.home)]
    ran = subprocess.run(command, env={**os.environ, "PATH": ""}, capture_output=True, text=True, check=False)
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr == (
        "No C++ compiler found: install g++ (Debian/Ubuntu: sudo apt install g++; macOS: xcode-select --install), "
        "or set GATEWAY_LOCAL=canned to try the gateway without a model.\n"
    )
    assert fresh.asked == []


def test_a_compiler_named_by_the_environment_counts(compiler: dict[str, str]) -> None:
    folder = Path(compiler["PATH"])
    shutil.move(folder / "g++", folder / "my-c++")
    with pytest.raises(ConfigurationError, match=r"C\+\+"):
        check_compiler(compiler)
    check_compiler({**compiler, "CXX": "my-c++ -O2"})
    (folder / "gcc").unlink()
    with pytest.raises(ConfigurationError, match="No C compiler"):
        check_compiler({**compiler, "CXX": "my-c++"})


def test_the_recorded_build_is_followed_from_the_first_step_to_the_last() -> None:
    found = [step for line in LOG.read_text().splitlines() if (step := steps(line)) is not None]
    assert found == [(step, 83) for step in range(1, 84)]


@pytest.mark.parametrize("line", ["", "[a/b] x", "[1/2]x", "  -- [1/2] ", "Downloading [1/2] "], ids=repr)
def test_other_lines_are_no_steps(line: str) -> None:
    assert steps(line) is None


def test_the_kept_wheel_is_another_for_every_change_of_the_recipe() -> None:
    recipe = Recipe("llama-cpp-python==0.3.36", "cpu", "", "linux-x86_64")
    others = [
        replace(recipe, requirement="llama-cpp-python==0.3.37"),
        replace(recipe, accelerator="cuda"),
        replace(recipe, extra="-DGGML_BLAS=ON"),
        replace(recipe, machine="linux-aarch64"),
    ]
    assert len({recipe.folder(), *(other.folder() for other in others)}) == 5
    assert replace(recipe).folder() == recipe.folder()


@pytest.mark.parametrize(
    ("accelerator", "flag"),
    [("cuda", "-DGGML_CUDA=ON"), ("metal", "-DGGML_METAL=ON"), ("portable", "-DGGML_NATIVE=OFF")],
)
def test_an_accelerator_adds_its_flag(accelerator: str, flag: str) -> None:
    assert flag in Recipe.here("x==1", {"GATEWAY_ACCEL": accelerator}).flags


def test_an_unknown_accelerator_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="cpu, portable, metal, cuda"):
        Recipe.here("x==1", {"GATEWAY_ACCEL": "tpu"})


def test_the_operators_cmake_arguments_come_last(tmp_path: Path) -> None:
    recipe = Recipe.here("x==1", {"CMAKE_ARGS": "-DGGML_AVX512=OFF"})
    assert recipe.environment({}, tmp_path)["CMAKE_ARGS"].endswith(" -DGGML_AVX512=OFF")


def test_versions_for_different_pythons_stay_together() -> None:
    lock = "\n".join(
        [
            "numpy==2.4 ; python_version < '3.12' \\",
            "    --hash=sha256:aa",
            "numpy==2.5 ; python_version >= '3.12' \\",
            "    --hash=sha256:bb",
            "    # via x",
            "Typing_Extensions==4 --hash=sha256:cc",
        ]
    )
    found = entries(lock)
    assert set(found) == {"numpy", "typing-extensions"}
    assert "sha256:aa" in found["numpy"]
    assert "sha256:bb" in found["numpy"]


def test_the_lock_holds_the_engine_and_all_it_needs_with_hashes() -> None:
    lock = entries(engine_lock().read_text())
    wanted = {"llama-cpp-python", "numpy", "jinja2", "markupsafe", "diskcache", "typing-extensions"}
    assert wanted <= set(lock)
    assert all("--hash=sha256:" in lock[name] for name in wanted)

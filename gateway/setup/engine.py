"""llama-cpp-python: compiled once for this machine, kept as a wheel, installed from there the next time."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from gateway.core.errors import ConfigurationError
from gateway.setup.locked import engine_lock, entries
from gateway.setup.pip import has, pip
from gateway.setup.recipe import Recipe
from gateway.setup.screen import Progress, Report, silent

PACKAGE = "llama-cpp-python"
_NEEDS = {"numpy": "numpy", "jinja2": "jinja2", "diskcache": "diskcache", "typing-extensions": "typing_extensions"}
_NINJA = re.compile(r"^\s*\[(\d+)/(\d+)\] ")


def ensure_engine(
    report: Report,
    progress: Progress = silent,
    *,
    python: Path | None = None,
    environ: Mapping[str, str] | None = None,
) -> None:
    """Make llama_cpp importable for `python` (this one). Raises ConfigurationError with one sentence and a way out."""
    python = python or Path(sys.executable)
    environ = os.environ if environ is None else environ
    if has(python, "llama_cpp", *_NEEDS.values()):
        return
    lock = entries(engine_lock().read_text())
    recipe = Recipe.here(lock[PACKAGE], environ)
    wheel = recipe.wheel()
    if wheel is None:
        check_compiler(environ)
        report("Building llama-cpp-python for this machine: about two minutes on two cores, once")
        wheel = _build(recipe, python, environ, progress)
    else:
        report(f"Installing llama-cpp-python from {str(wheel.parent)!r}")
    _install_needs(lock, python)
    pip(python, ["install", "--quiet", "--no-deps", "--no-index", str(wheel)], doing="installing llama-cpp-python")


def check_compiler(environ: Mapping[str, str]) -> None:
    """Raises ConfigurationError where no C or C++ compiler is to be found, before anything is downloaded."""
    path = environ.get("PATH", "")
    for language, variable, names in (("C++", "CXX", ("c++", "g++", "clang++")), ("C", "CC", ("cc", "gcc", "clang"))):
        named = environ.get(variable, "").split()[:1]
        if not any(shutil.which(name, path=path) for name in (*named, *names)):
            package = "g++" if language == "C++" else "gcc"
            raise ConfigurationError(
                f"No {language} compiler found: install {package} (Debian/Ubuntu: sudo apt install {package}; macOS: "
                "xcode-select --install), or set GATEWAY_LOCAL=canned to try the gateway without a model."
            )


def steps(line: str) -> tuple[int, int] | None:
    """How far ninja is, out of a line like `[12/83] Building CXX object …`."""
    found = _NINJA.match(line)
    return (int(found.group(1)), int(found.group(2))) if found is not None else None


def _build(recipe: Recipe, python: Path, environ: Mapping[str, str], progress: Progress) -> Path:
    folder = recipe.folder()
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Beside its destination, so that the finished wheel arrives there in one step or not at all.
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".build-") as name:
        scratch = Path(name)
        locked = scratch / "engine.txt"
        locked.write_text(recipe.requirement + "\n")

        def follow(line: str) -> None:
            if (step := steps(line)) is not None:
                progress("Compiling llama.cpp", *step)

        pip(
            python,
            [
                # Verbose: ninja's steps. No cache: pip would take a wheel that someone once built with other flags.
                *("wheel", "-v", "--no-cache-dir", "--no-deps", "--no-binary", PACKAGE, *_isolation(python, environ)),
                *("--require-hashes", "--requirement", str(locked), "--wheel-dir", str(scratch / "out")),
            ],
            doing="building llama-cpp-python",
            environ=recipe.environment(environ, scratch),
            line=follow,
        )
        built = next((scratch / "out").glob("*.whl"))
        folder.mkdir(exist_ok=True)
        return built.replace(folder / built.name)


def _isolation(python: Path, environ: Mapping[str, str]) -> list[str]:
    """The lock's own build tools where they are installed; else pip fetches what the package asks for."""
    there = has(python, "scikit_build_core") and (
        has(python, "cmake") or shutil.which("cmake", path=environ.get("PATH"))
    )
    return ["--no-build-isolation"] if there else []


def _install_needs(lock: Mapping[str, str], python: Path) -> None:
    """What llama_cpp imports, from the lock; what is there already stays as it is."""
    missing = [name for name, module in _NEEDS.items() if not has(python, module)]
    if "jinja2" in missing:
        missing.append("markupsafe")
    if not missing:
        return
    with tempfile.TemporaryDirectory() as scratch:
        locked = Path(scratch) / "needs.txt"
        locked.write_text("\n".join(lock[name] for name in missing) + "\n")
        arguments = ["install", "--quiet", "--no-deps", "--require-hashes", "--requirement", str(locked)]
        pip(python, arguments, doing="installing what llama-cpp-python needs")

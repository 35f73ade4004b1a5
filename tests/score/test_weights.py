"""Weights are read only as they were shipped: another digest, a pickle or a number that is none is damage."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from gateway.score import shipped, static
from gateway.score.lexicon import DATA
from gateway.score.weights import NAMES, Damaged, load, save

FILES = {static.FILE, shipped.FILE}


def test_the_shipped_files_are_the_ones_whose_digests_stand_beside_them() -> None:
    listed = json.loads((DATA / NAMES).read_text())["files"]
    assert set(listed) == FILES == {path.name for path in DATA.glob("*.npz")}
    for name, said in listed.items():
        assert hashlib.sha256((DATA / name).read_bytes()).hexdigest() == said["sha256"]
        assert all(source["name"] and source["licence"] in {"MIT", "Apache-2.0"} for source in said["data"])
    assert sum(path.stat().st_size for path in DATA.glob("*.npz")) < 4_000_000


def test_the_same_arrays_are_the_same_bytes_and_come_back(tmp_path: Path) -> None:
    arrays = {"one": np.arange(5, dtype=np.float32), "other": np.ones((2, 3), dtype=np.int8)}
    digests = {save("w.npz", arrays, {"data": []}, tmp_path) for _ in range(2)}
    assert len(digests) == 1
    found = load("w.npz", tmp_path)
    assert set(found) == {"one", "other"}
    assert (found["one"] == arrays["one"]).all()


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY"], ids=["empty", "torn", "another kind"]
)
def test_a_file_that_is_no_archive_is_damage(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "w.npz").write_bytes(content)
    listed = {"files": {"w.npz": {"sha256": hashlib.sha256(content).hexdigest()}}}
    (tmp_path / NAMES).write_text(json.dumps(listed))
    with pytest.raises(Damaged, match=r"w\.npz"):
        load("w.npz", tmp_path)


def test_a_changed_byte_is_damage_and_both_digests_are_named(tmp_path: Path) -> None:
    digest = save("w.npz", {"one": np.arange(5)}, {}, tmp_path)
    content = bytearray((tmp_path / "w.npz").read_bytes())
    content[40] ^= 1
    (tmp_path / "w.npz").write_bytes(content)
    with pytest.raises(Damaged, match=digest[:12]):
        load("w.npz", tmp_path)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_number_that_is_none_is_damage(tmp_path: Path, wrong: float) -> None:
    save("w.npz", {"one": np.array([1.0, wrong])}, {}, tmp_path)
    with pytest.raises(Damaged, match="no number"):
        load("w.npz", tmp_path)


def test_objects_are_never_unpickled(tmp_path: Path) -> None:
    save("w.npz", {"one": np.array([{"a": 1}], dtype=object)}, {}, tmp_path)
    with pytest.raises(Damaged, match="no archive"):
        load("w.npz", tmp_path)


@pytest.mark.parametrize("listed", ["{}", "[]", "no json", '{"files": {"w.npz": {}}}'])
def test_a_file_without_a_digest_is_not_read(tmp_path: Path, listed: str) -> None:
    save("w.npz", {"one": np.arange(5)}, {}, tmp_path)
    (tmp_path / NAMES).write_text(listed)
    with pytest.raises(Damaged, match="cannot be read"):
        load("w.npz", tmp_path)
    (tmp_path / NAMES).unlink()
    with pytest.raises(Damaged, match="cannot be read"):
        load("w.npz", tmp_path)

"""Which file a name means, and what is said when there is none."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.engine.files import digest
from gateway.engine.files.catalogue import DEFAULT_MODEL, KNOWN, ModelFile, find, listing, verify
from gateway.engine.files.places import model_dirs
from gateway.engine.files.registry import Registered, read_registry, register


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLM_GATEWAY_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("gateway.engine.files.places.share_dir", lambda: tmp_path / "share")
    return tmp_path


def put(path: Path, content: bytes = b"GGUF") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def test_the_operators_folder_comes_before_the_environments_and_the_users(places: Path) -> None:
    folders = model_dirs()
    assert folders[:2] == (places / "data" / "models", places / "share" / "models")
    file = KNOWN[DEFAULT_MODEL].file
    in_cache = put(folders[2] / file)
    assert find(DEFAULT_MODEL).path == in_cache
    in_share = put(folders[1] / file)
    assert find(DEFAULT_MODEL).path == in_share
    assert find(DEFAULT_MODEL).sha256 == KNOWN[DEFAULT_MODEL].sha256
    assert find(DEFAULT_MODEL).languages == {"en"}


def test_a_known_model_that_is_not_here_names_the_command() -> None:
    with pytest.raises(ConfigurationError, match=f"gateway models pull {DEFAULT_MODEL}"):
        find(DEFAULT_MODEL)


def test_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(ConfigurationError, match=DEFAULT_MODEL):
        find("gpt-9")


def test_a_path_is_taken_relative_to_the_configuration(places: Path) -> None:
    file = put(places / "models" / "Mine.gguf")
    found = find("models/Mine.gguf", base=places, sha256="AB" * 32, languages=["it"])
    assert found == ModelFile("mine", file, "ab" * 32, 0, frozenset({"it"}))


@pytest.mark.parametrize("name", ["nowhere.gguf", "models/none", "."], ids=str)
def test_a_path_without_a_file_is_refused(name: str, places: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"local\.model"):
        find(name, base=places)


def test_a_registered_model_is_found_and_listed(places: Path) -> None:
    file = put(places / "big.gguf", b"12345")
    register(model_dirs()[0], "mine", Registered(str(file), "00" * 32, 4096, ("de", "en")))
    assert find("mine") == ModelFile("mine", file, "00" * 32, 4096, frozenset({"de", "en"}))
    lines = {line.id: line for line in listing()}
    assert (lines["mine"].path, lines["mine"].size) == (file, 5)
    assert lines[DEFAULT_MODEL].path is None
    file.unlink()
    assert {line.id: line.path for line in listing()}["mine"] is None


def test_registering_keeps_the_others(places: Path) -> None:
    folder = places / "models"
    register(folder, "a", Registered("/a", "0"))
    register(folder, "b", Registered("/b", "0"))
    register(folder, "a", Registered("/c", "0"))
    assert {name: entry.path for name, entry in read_registry(folder).items()} == {"a": "/c", "b": "/b"}


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"a": {"strange": 1}}', b'{"a": 7}'], ids=repr)
def test_a_damaged_registry_is_a_clear_error(places: Path, content: bytes) -> None:
    put(places / "models.json", content)
    with pytest.raises(ConfigurationError, match=r"models\.json"):
        read_registry(places)


def test_verify_hashes_the_file(places: Path) -> None:
    file = put(places / "x.gguf")
    right = hashlib.sha256(b"GGUF").hexdigest()
    assert verify(ModelFile("x", file, right)) == right
    with pytest.raises(ConfigurationError, match=right):
        verify(ModelFile("x", file, "0" * 64))


def test_a_digest_is_remembered_until_the_file_changes(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, memory = put(places / "x.gguf"), places / "memory.json"
    first = digest.known_sha256_of(file, memory)
    hashed: list[Path] = []
    original = digest.sha256_of

    def counting(path: Path) -> str:
        hashed.append(path)
        return original(path)

    monkeypatch.setattr(digest, "sha256_of", counting)
    assert digest.known_sha256_of(file, memory) == first
    assert hashed == []
    put(file, b"other")
    assert digest.known_sha256_of(file, memory) != first
    assert hashed == [file]


def test_a_damaged_memory_of_digests_is_only_slow(places: Path) -> None:
    file, memory = put(places / "x.gguf"), put(places / "memory.json", b"{nonsense")
    assert digest.known_sha256_of(file, memory) == hashlib.sha256(b"GGUF").hexdigest()

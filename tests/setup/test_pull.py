"""`models pull`: what an operator adds is registered, found again and checked."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path

import pytest

from gateway.core.errors import ConfigurationError
from gateway.engine.files.catalogue import DEFAULT_MODEL, KNOWN, find, listing
from gateway.engine.files.places import data_dir
from gateway.setup import ensure_ready, pull
from gateway.setup.pull import Wanted

CONTENT = b"GGUF and more"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "My Model.Q8.gguf"
    path.write_bytes(CONTENT)
    return path


def test_a_file_is_registered_where_it_lies(file: Path, told: list[str]) -> None:
    pulled = pull(Wanted(str(file), languages=("it", "en"), context=2048), told.append)
    assert (pulled.id, pulled.path, pulled.sha256) == ("my-model.q8", file, DIGEST)
    assert find("my-model.q8") == pulled
    assert pulled.languages == {"en", "it"}
    assert "my-model.q8" in {line.id for line in listing() if line.path is not None}
    assert told == [], "what to do with it is said once, by the command"


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted("https://example.com/m.gguf"), "needs --sha256"),
        (Wanted("https://example.com/m.gguf", "abc"), "64 hexadecimal"),
        (Wanted("http://example.com/m.gguf", "0" * 64), "https"),
        (Wanted("nowhere.gguf"), f"no file; known: {DEFAULT_MODEL}"),
        (Wanted("https://example.com/m.gguf", "0" * 64, "auto"), "--name"),
        (Wanted("https://example.com/m.gguf", "0" * 64, "Two Words"), "--name"),
        (Wanted("https://example.com/m.gguf", "0" * 64, DEFAULT_MODEL), "--name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_pulled_says_why(wanted: Wanted, said: str, told: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=said):
        pull(wanted, told.append)


def test_a_file_that_is_no_gguf_is_not_registered(tmp_path: Path, told: list[str]) -> None:
    for name, content in (("page.gguf", b"<!doctype html>"), ("empty.gguf", b""), ("weights.gguf", b"GGU")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ConfigurationError, match="is not a GGUF file"):
            pull(Wanted(str(tmp_path / name), name="mine"), told.append)
    with pytest.raises(ConfigurationError, match="no model 'mine'"):
        find("mine")


def test_a_file_with_another_digest_is_not_registered(file: Path, told: list[str]) -> None:
    with pytest.raises(ConfigurationError, match=DIGEST):
        pull(Wanted(str(file), "0" * 64, "mine"), told.append)
    with pytest.raises(ConfigurationError, match="no model 'mine'"):
        find("mine")


def test_a_model_of_the_catalogue_that_is_here_is_not_fetched_again(told: list[str]) -> None:
    here = data_dir() / "models" / KNOWN[DEFAULT_MODEL].file
    here.parent.mkdir(parents=True)
    here.write_bytes(CONTENT)
    assert pull(Wanted(DEFAULT_MODEL), told.append).path == here
    assert told == []


def test_serving_needs_nothing_where_all_is_here(told: list[str]) -> None:
    assert importlib.util.find_spec("llama_cpp") is not None
    ensure_ready("./mine.gguf", told.append)
    ensure_ready(DEFAULT_MODEL, told.append, environ={"GATEWAY_SETUP": "never"})
    assert told == []

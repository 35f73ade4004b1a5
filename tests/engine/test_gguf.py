"""Heads of model files: read as far as they can be believed, whatever they claim."""

from __future__ import annotations

import struct
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.engine.files.catalogue import ModelFile
from gateway.engine.files.gguf import Head, NotGGUF, read_head
from gateway.engine.files.weights import bits, check_whole, main_format, slow_share
from tests.support.tiny import WIDTH, write_tiny

HUGE = 2**63


def head(*, tensors: int = 0, values: int = 0, rest: bytes = b"", version: int = 3, magic: bytes = b"GGUF") -> bytes:
    return magic + struct.pack("<IQQ", version, tensors, values) + rest


def text(of: str) -> bytes:
    return struct.pack("<Q", len(of)) + of.encode()


def test_a_real_models_head_says_what_llama_cpp_says(model: ModelFile) -> None:
    began = time.thread_time()
    found = read_head(model.path)
    assert time.thread_time() - began < 5
    assert (found.values["general.architecture"], found.values["llama.embedding_length"]) == ("llama", 576)
    assert found.values["tokenizer.ggml.tokens"] is None, "nobody needs a vocabulary here"
    assert len(found.tensors) == 272
    assert (main_format(found), round(slow_share(found), 2), round(bits(found), 1)) == ("Q4_1", 0.79, 5.7)
    check_whole(found, model.path)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        pytest.param(b"", "no GGUF", id="empty"),
        pytest.param(b"GG", "no GGUF", id="two bytes"),
        pytest.param(b"<html>not found</html>", "no GGUF", id="a web page"),
        pytest.param(head(version=1), "version 1", id="too old"),
        pytest.param(head(version=50331648), "version", id="big-endian"),
        pytest.param(head(tensors=HUGE), "more than", id="absurd tensors"),
        pytest.param(head(values=HUGE), "more than", id="absurd values"),
        pytest.param(head(values=90_000), "middle", id="values that are not there"),
        pytest.param(head(values=1, rest=struct.pack("<Q", HUGE)), "too long", id="absurd name"),
        pytest.param(head(values=1, rest=text("a") + struct.pack("<IQ", 8, HUGE)), "middle", id="absurd text"),
        pytest.param(head(values=1, rest=text("a") + struct.pack("<I", 77)), "unknown type", id="unknown type"),
        pytest.param(head(values=1, rest=text("a") + struct.pack("<IIQ", 9, 9, 1)), "list of lists", id="lists"),
        pytest.param(head(values=1, rest=text("a") + struct.pack("<IIQ", 9, 8, HUGE)), "middle", id="absurd texts"),
        pytest.param(head(values=1, rest=text("a") + struct.pack("<IIQ", 9, 10, HUGE)), "middle", id="absurd numbers"),
        pytest.param(head(values=1, rest=struct.pack("<Q", 2) + b"\xff\xfe"), "UTF-8", id="a name that is no text"),
        pytest.param(head(tensors=1, rest=text("a") + struct.pack("<I", 9)), "shape", id="nine dimensions"),
        pytest.param(
            head(values=1, rest=text("general.alignment") + struct.pack("<II", 4, 0)), "alignment", id="no alignment"
        ),
    ],
)
def test_what_is_wrong_with_a_head_has_a_name(tmp_path: Path, raw: bytes, says: str) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(raw)
    tracemalloc.start()
    try:
        with pytest.raises(NotGGUF, match=says):
            read_head(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@settings(max_examples=300)
@given(st.data())
def test_a_damaged_head_is_read_or_refused_and_nothing_else(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "x.gguf"
    raw = bytearray(write_tiny(path).read_bytes()[:1000])
    for _ in range(data.draw(st.integers(0, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.sampled_from([0, 1, 8, 9, 0x7F, 0x80, 0xFF]))
    path.write_bytes(raw[: data.draw(st.integers(0, len(raw)))])
    began = time.thread_time()
    try:
        found = read_head(path)
        check_whole(found, path)
    except NotGGUF:
        return
    finally:
        assert time.thread_time() - began < 5  # whatever counts the head claims
    assert isinstance(found, Head)
    assert 0 <= slow_share(found) <= 1
    assert bits(found) >= 0
    assert main_format(found)


def test_a_file_that_was_cut_off_is_not_whole(tmp_path: Path) -> None:
    path = write_tiny(tmp_path / "x.gguf")
    check_whole(read_head(path), path)
    path.write_bytes(path.read_bytes()[:-WIDTH])
    with pytest.raises(NotGGUF, match="weights"):
        check_whole(read_head(path), path)

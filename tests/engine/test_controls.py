"""Control texts: the longest one found at each place, in a time that does not grow with their number."""

from __future__ import annotations

import re
import shutil
import struct
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.engine.batch.model import Model
from gateway.engine.controls import any_of, looks_like_control
from gateway.engine.files.catalogue import ModelFile

WORDS = st.text(alphabet="<|a>.(", min_size=1, max_size=6)


@given(st.sets(WORDS, min_size=1, max_size=12), st.text(alphabet="<|a>.(", max_size=40))
def test_it_finds_what_trying_one_after_the_other_finds(texts: set[str], text: str) -> None:
    longest_first = re.compile("|".join(map(re.escape, sorted(texts, key=len, reverse=True))))
    pattern = any_of(texts)
    assert pattern is not None
    assert pattern.findall(text) == longest_first.findall(text)


def test_nothing_to_find_is_no_pattern() -> None:
    assert any_of([]) is None


def test_thousands_of_texts_are_looked_for_in_a_long_message_in_no_time() -> None:
    pattern = any_of([f"<unused{number}>" for number in range(6000)])
    assert pattern is not None
    began = time.thread_time()
    assert pattern.search("<" * 300_000 + "<unused" * 40_000 + "<unused600" * 30_000) is None
    assert time.thread_time() - began < 10


@pytest.mark.parametrize(
    ("text", "control"),
    [
        ("<|START_OF_TURN_TOKEN|>", True),
        ("<|channel>", True),
        ("<tool_call|>", True),
        ("<｜User｜>", True),
        ("<start_of_turn>", True),
        ("<table>", False),
        ("<think>", False),
        ("||", False),
        ("    ", False),
        ("ø", False),
    ],
)
def test_markup_is_told_from_tags_and_words(text: str, control: bool) -> None:
    assert looks_like_control(text) is control


@pytest.mark.model
def test_a_token_that_structures_chats_is_one_whatever_its_file_calls_it(model: ModelFile, tmp_path: Path) -> None:
    copy = tmp_path / "other.gguf"
    shutil.copyfile(model.path, copy)
    with copy.open("r+b") as file:
        key = b"tokenizer.ggml.token_type"
        first = file.read(8 << 20).index(key) + len(key) + 4 + 4 + 8
        file.seek(first + 4)  # of token 1, <|im_start|>
        assert struct.unpack("<i", file.read(4)) == (3,)  # control
        file.seek(first + 4)
        file.write(struct.pack("<i", 4))  # user defined
    loaded = Model(copy)
    try:
        assert loaded.tokens("<|im_start|>") == [1]
        assert {"<|im_start|>", "<|im_end|>"} <= loaded.control_texts()
    finally:
        loaded.close()

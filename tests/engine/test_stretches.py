"""Prompts without a break: cut so that no tokenizer overflows its stack, and never through a special token."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.core.errors import ContextTooLong
from gateway.engine.batch.stretches import LONGEST, pieces
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.local import LocalEngine
from gateway.engine.options import EngineOptions

END = "<|im_end|>"


@given(st.lists(st.sampled_from(["a", " ", "é", "<", END, "\n", "word and word "]), max_size=6), st.integers(1, 3000))
@example(["a", "<"], LONGEST)
@example([END], LONGEST)
def test_the_pieces_add_up_and_none_goes_on_without_a_break(parts: list[str], times: int) -> None:
    text = "".join(part * times for part in parts)
    found = list(pieces(text))
    assert "".join(found) == text
    assert all(len(stretch) <= LONGEST for piece in found for stretch in re.findall(r"\S+|\s+", piece))
    assert sum(piece.count(END) for piece in found) == text.count(END)


@pytest.mark.parametrize("before", range(LONGEST - len(END) - 2, LONGEST + 3))
def test_no_cut_goes_through_a_special_token(before: int) -> None:
    assert sum(piece.count(END) for piece in pieces("a" * before + END + "a" * LONGEST)) == 1


def test_text_of_words_is_one_piece() -> None:
    text = "a sentence of words, and a line\n" * 2000
    assert list(pieces(text)) == [text]


@pytest.fixture
def mistrals(model: ModelFile, tmp_path: Path) -> ModelFile:
    """The model with the pre-tokenizer of Mistral's, which llama.cpp runs as a recursive regular expression."""
    copy = tmp_path / "mistrals.gguf"
    shutil.copyfile(model.path, copy)
    with copy.open("r+b") as file:
        key = b"tokenizer.ggml.pre"
        at = file.read(4 << 20).index(key) + len(key) + 4 + 8
        file.seek(at)
        assert file.read(6) == b"smollm"
        file.seek(at)
        file.write(b"tekken")
    return ModelFile("mistrals", copy)


@pytest.mark.model
@pytest.mark.anyio
@pytest.mark.parametrize("sign", ["a", "=", " "])
async def test_a_prompt_without_a_break_leaves_the_process_alive(mistrals: ModelFile, sign: str, tools: Any) -> None:
    async with tools.running(LocalEngine(mistrals, EngineOptions(context=512, threads=1))) as engine:
        with pytest.raises(ContextTooLong):
            await tools.say(engine, sign * 100_000)
        assert engine.restarts == 0

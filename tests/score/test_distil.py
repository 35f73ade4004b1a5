"""Distilling: words start where the encoder puts them, and move towards what their prompts mean."""

from __future__ import annotations

import zlib
from collections import Counter
from types import SimpleNamespace

import numpy as np

from gateway.score.distil import frequencies, mapped, means, moved, shares, vocabulary
from gateway.score.encoder import WIDTH

PROMPTS = [
    f"{a} {b}".split() for a in ("prove", "derive", "greet", "thank") for b in ("lemma", "sum", "friend", "aunt")
]


def place(text: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Where a made-up encoder puts a text: the same one always."""
    return np.random.default_rng(zlib.crc32(text.encode())).normal(size=WIDTH).astype(np.float32)


def test_frequencies_are_those_of_whole_lower_case_latin_words() -> None:
    pieces = ["▁Water", "▁water", "wat", "▁水", "▁a1", "▁école"]
    model = SimpleNamespace(_tokenizer=SimpleNamespace(_pieces=pieces, _scores=[-1.0] * len(pieces)))
    found = frequencies(model)
    assert set(found) == {"water", "école"}
    assert found["water"] == 2 * found["école"]


def test_words_of_cues_and_of_several_prompts_are_added_once_each() -> None:
    words = vocabulary(Counter({"water": 0.5, "the": 0.9}), [["quark", "7"]] * 3 + [["rare", "water"]] * 2)  # type: ignore[arg-type]
    assert words[:2] == ["the", "water"]
    assert "quark" in words
    assert "beweise" in words
    assert not {"rare", "7"} & set(words)
    assert len(words) == len(set(words))


def test_moving_words_brings_their_prompts_near_and_leaves_other_words_alone() -> None:
    words = [*sorted({word for prompt in PROMPTS for word in prompt}), "unseen"]
    numbers = {word: number for number, word in enumerate(words)}
    parts = shares(numbers, np.ones(len(words), dtype=np.float32), PROMPTS)
    table = np.array([place(word) for word in words])
    goals = np.array([place(" ".join(prompt)) for prompt in PROMPTS])
    first, wanted = mapped(table, parts, goals)
    second = moved(first, parts, wanted, seed=0)
    before, after = (float(((means(parts, each) - wanted) ** 2).sum()) for each in (first, second))
    assert after < before
    assert (second[numbers["unseen"]] == first[numbers["unseen"]]).all()
    assert first.shape == (len(words), wanted.shape[1])

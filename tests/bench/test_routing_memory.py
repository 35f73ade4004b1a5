"""The routing bench reads every text once and fits the gateway's own router as the gateway does."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from bench.routing_encoder import RememberingEncoder
from bench.routing_memory import Memory
from gateway.score.encoder import WIDTH
from gateway.score.router import HEADS, fit_router
from gateway.score.smooth import Array
from gateway.score.views import MEANT, views

TEXTS = [f"What is {n} times {n + 1}?" if n % 2 else f"Tell me about river number {n} " * n for n in range(1, 60)]
WEAK = [float(len(text) < 200) for text in TEXTS]


class Model:
    """Stands for the encoder's network: the same vector for the same text, and it counts what it reads."""

    def __init__(self) -> None:
        self.read: list[str] = []

    def encode(self, texts: Sequence[str]) -> Array:
        self.read += texts
        rows = np.array([np.random.default_rng(len(text)).normal(size=WIDTH) for text in texts], dtype=np.float32)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_what_was_read_once_is_not_read_again_not_even_by_the_next_process(tmp_path: Path) -> None:
    first, later = Model(), Model()
    reader = RememberingEncoder(tmp_path, first)
    once = reader.vectors(["one", "three", "one"])
    assert sorted(first.read) == ["one", "three"]
    again = RememberingEncoder(tmp_path, later).vectors(["three", "seven", "one"])
    assert later.read == ["seven"]
    assert np.array_equal(again[[2, 0, 2]], once)


def test_the_file_holds_no_text(tmp_path: Path) -> None:
    RememberingEncoder(tmp_path, Model()).vectors(["a planted sentence"])
    (kept,) = tmp_path.iterdir()
    assert b"planted" not in kept.read_bytes()
    with np.load(kept) as arrays:
        assert sorted(arrays.files) == ["keys", "rows"]


def test_what_is_remembered_is_what_the_gateway_looks_at() -> None:
    model = Model()
    memory = Memory(True, RememberingEncoder(None, model))
    memory.views(TEXTS[:20], encoder=True)
    ours, theirs = memory.views(TEXTS, encoder=True), views(TEXTS, list(HEADS), RememberingEncoder(None, Model()))
    assert [list(at) for at in ours.words] == [list(at) for at in theirs.words]
    for one, other in ((ours.lexical, theirs.lexical), (ours.static, theirs.static), (ours.meaning, theirs.meaning)):
        assert one is not None
        assert other is not None
        assert np.array_equal(one, other)
    assert len(model.read) == len(set(model.read))


def test_the_fast_ensemble_is_the_gateway_s_own() -> None:
    strong = [1.0] * len(TEXTS)
    ours = Memory(False).fit(TEXTS, WEAK, strong, encoder=False, seed=0)
    theirs = fit_router(TEXTS, WEAK, strong, encoder=False, seed=0)
    assert list(ours.gain(TEXTS)) == pytest.approx(theirs.gain(TEXTS))
    assert set(ours.parts(TEXTS)) == set(HEADS) - MEANT


def test_with_the_encoder_the_heads_on_meanings_speak_as_well() -> None:
    memory = Memory(True, RememberingEncoder(None, Model()))
    fast = memory.fit(TEXTS, WEAK, [1.0] * len(TEXTS), encoder=False, seed=0)
    slow = memory.fit(TEXTS, WEAK, [1.0] * len(TEXTS), encoder=True, seed=0)
    assert set(slow.parts(TEXTS)) == set(HEADS)
    alone = Memory(False).fit(TEXTS, WEAK, [1.0] * len(TEXTS), encoder=False, seed=0)
    assert list(fast.gain(TEXTS)) == pytest.approx(alone.gain(TEXTS))
    assert set(fast.parts(TEXTS)) == set(HEADS) - MEANT

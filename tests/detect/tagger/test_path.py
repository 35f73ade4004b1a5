"""Sequences of labels: a name is begun before it goes on."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gateway.detect.tagger.path import _best, lawful, spans
from gateway.detect.tagger.weights import LABELS


def test_labels_side_by_side_become_one_span_each() -> None:
    rows = np.eye(len(LABELS), dtype=np.float32)[[0, 1, 2, 1, 0, 3, 4, 4, 1]]
    assert spans(rows) == [(1, 3, "person"), (3, 4, "person"), (5, 8, "postal_address"), (8, 9, "person")]


def test_a_name_that_was_never_begun_is_begun_or_dropped() -> None:
    rows = np.array([[0.1, 0.3, 0.6, 0.0, 0.0], [0.1, 0.0, 0.9, 0.0, 0.0]], np.float32)
    assert spans(rows) == [(0, 2, "person")]


@given(arrays(np.float32, st.tuples(st.integers(1, 4), st.just(5)), elements=st.floats(0.0625, 1, width=32)))
@settings(max_examples=200)
def test_the_sequence_taken_is_the_likeliest_lawful_one(
    rows: np.ndarray[tuple[int, int], np.dtype[np.float32]],
) -> None:
    logs = np.log(rows).tolist()

    def score(labels: tuple[int, ...]) -> float:
        return float(sum(row[label] for row, label in zip(logs, labels, strict=True)))

    every = [labels for labels in product(range(5), repeat=len(logs)) if all(map(lawful, (0, *labels), labels))]
    assert abs(score(tuple(_best(logs))) - max(map(score, every))) < 1e-5

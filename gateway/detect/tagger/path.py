"""The likeliest lawful sequence of labels: a name is begun before it goes on, and goes on as what it was begun as."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gateway.detect.tagger.weights import LABELS, Floats

_KINDS = tuple(label[2:] for label in LABELS)


def lawful(before: int, after: int) -> bool:
    return not LABELS[after].startswith("I-") or (before > 0 and _KINDS[before] == _KINDS[after])


_WAYS = tuple(tuple(b for b in range(len(LABELS)) if lawful(b, after)) for after in range(len(LABELS)))

_LAWFUL = frozenset((before, after) for after, ways in enumerate(_WAYS) for before in ways)
_DIFFERENT = tuple(dict.fromkeys(_WAYS))
"""Most labels may follow any other: their ways are looked at once."""
_WHICH = tuple(map(_DIFFERENT.index, _WAYS))


def spans(chances: Floats) -> list[tuple[int, int, str]]:
    """(first, last + 1, kind) for each name or address in a run of tokens' probabilities."""
    labels: list[int] = chances.argmax(axis=1).tolist()
    if not any(labels):
        return []
    steps = zip([0, *labels], labels, strict=False)
    if not _LAWFUL.issuperset(steps):  # else the likeliest labels are the likeliest sequence
        labels = _best(np.log(chances + 1e-9).tolist())
    return _joined(labels)


def _best(logs: Sequence[Sequence[float]]) -> list[int]:
    scores = [value if lawful(0, label) else -1e9 for label, value in enumerate(logs[0])]
    trail: list[list[int]] = []
    for row in logs[1:]:
        best = [max(ways, key=scores.__getitem__) for ways in _DIFFERENT]
        came = [best[which] for which in _WHICH]
        scores = [scores[origin] + value for origin, value in zip(came, row, strict=True)]
        trail.append(came)
    label = scores.index(max(scores))
    labels = [label]
    for came in reversed(trail):
        label = came[label]
        labels.append(label)
    return labels[::-1]


def _joined(labels: list[int]) -> list[tuple[int, int, str]]:
    found: list[tuple[int, int, str]] = []
    for place, label in enumerate(labels):
        if LABELS[label].startswith("B-"):
            found.append((place, place + 1, _KINDS[label]))
        elif label:
            first, _, kind = found[-1]
            found[-1] = (first, place + 1, kind)
    return found

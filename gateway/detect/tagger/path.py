"""The likeliest lawful sequence of labels: a name is begun before it goes on, and goes on as what it was begun as."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.detect.tagger.weights import LABELS, Floats

_KINDS = tuple(label[2:] for label in LABELS)


def lawful(before: int, after: int) -> bool:
    return not LABELS[after].startswith("I-") or (before > 0 and _KINDS[before] == _KINDS[after])


class Path:
    def __init__(self, moves: Floats) -> None:
        """`moves` holds label → label in logarithms; unlawful ones are left out whatever it says."""
        self._ways = [
            [(before, float(moves[before, after])) for before in range(len(LABELS)) if lawful(before, after)]
            for after in range(len(LABELS))
        ]

    def best(self, logs: Sequence[Sequence[float]]) -> list[tuple[int, int, str]]:
        """(first, last + 1, kind) for each name or address in a run of tokens' log probabilities."""
        scores = [value if lawful(0, label) else -1e9 for label, value in enumerate(logs[0])]
        trail: list[list[int]] = []
        for row in logs[1:]:
            came, reached = [], []
            for label, ways in enumerate(self._ways):
                score, origin = max((scores[before] + cost, before) for before, cost in ways)
                came.append(origin)
                reached.append(score + row[label])
            trail.append(came)
            scores = reached
        label = scores.index(max(scores))
        labels = [label]
        for came in reversed(trail):
            label = came[label]
            labels.append(label)
        return _spans(labels[::-1])


def _spans(labels: list[int]) -> list[tuple[int, int, str]]:
    spans: list[tuple[int, int, str]] = []
    for place, label in enumerate(labels):
        if LABELS[label].startswith("B-"):
            spans.append((place, place + 1, _KINDS[label]))
        elif label:
            first, _, kind = spans[-1]
            spans[-1] = (first, place + 1, kind)
    return spans

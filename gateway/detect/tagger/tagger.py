"""Reads a text once and marks people's names and postal addresses, each with how sure it is.

Every token gets its probabilities from itself and three neighbours to each side; only tokens near something that looks
like a name or a street are computed. The likeliest lawful sequence of labels is then taken run by run.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import numpy.typing as npt

from gateway.detect.tagger import weights as stored
from gateway.detect.tagger.lexicon import Lexicon
from gateway.detect.tagger.path import spans
from gateway.detect.tagger.weights import LABELS, REACH, Floats, Weights
from gateway.detect.tagger.words import COMMON, FIRST, LAST, TOKEN, canonical, key, plain

Span = tuple[int, int, str, float]

_BLOCK = 4096
"""Tokens computed at once; the memory of words holds more than that."""
_NEAR = 2
"""Neighbours of a promising token that are computed as well."""
_SURE = 0.985
"""A token that is nothing with this probability ends a run."""
_FAMOUS = 0.4
"""What a name that everybody knows keeps of its confidence."""
_STEP = 32
"""Tokens multiplied at once: few enough that the linear-algebra library starts no threads."""
_WINDOW = np.arange(-REACH, REACH + 1)
_AGAIN = 0.08
"""Least probability for the second mention of a name that was found elsewhere in the text."""


class Tagger:
    """Shared by every request and thread. `spans` never raises and takes time in proportion to the text."""

    def __init__(self, weights: Weights) -> None:
        self._weights = weights
        self._hidden = weights.hidden.reshape(-1, weights.hidden.shape[-1])
        self.lexicon = Lexicon(weights)

    @classmethod
    def load(cls) -> Tagger:
        """With the weights that come with the gateway. ValueError where they are missing or not what the card says."""
        return cls(stored.load())

    @property
    def digest(self) -> str:
        return self._weights.digest

    def spans(self, text: str) -> list[Span]:
        """(start, end, "person" or "postal_address", confidence) in order; they do not overlap."""
        tokens = list(TOKEN.finditer(text))
        if not tokens:
            return []
        words = [canonical(token[0]) for token in tokens]
        alone: dict[int, float] = {}
        found = [span for low in range(0, len(words), _BLOCK) for span in self._block(words, low, alone)]
        bounds = [token.span() for token in tokens]
        kept = list(self._judged(words, found))
        kept += self._mentions(words, kept, alone)
        return sorted(_cut(text, bounds, *span) for span in kept)

    def _block(self, words: list[str], low: int, alone: dict[int, float]) -> Iterator[Span]:
        """Runs of labels in the tokens from `low`, as token numbers. `alone` collects how likely a name each is."""
        start, high = max(0, low - REACH), min(len(words), low + _BLOCK)
        page, places = self.lexicon.read(words[start : high + REACH])
        look = page.look[places]
        look[0] = look[-1] = False
        look[: 1 + low - start] = False
        look[1 + high - start :] = False
        chosen = _widened(look, 1 + low - start, 1 + high - start)
        if not chosen.size:
            return
        chances = self._chances(page.meanings, places, chosen)
        leaning = chances * self._weights.lean
        bits = page.bits[places]
        for begin, end in _runs(chosen, chances[:, 0]):
            first = int(chosen[begin]) - 1 + start
            rows = chances[begin:end]
            for offset, chance in enumerate((rows[:, 1] + rows[:, 2]).tolist()):
                if chance >= _AGAIN:
                    alone[first + offset] = chance
            for left, right, kind in spans(leaning[begin:end]):
                column = 1 if kind == "person" else 3
                sure = float(rows[left:right, column : column + 2].sum(axis=1).mean())
                doubtful = right - left == 1 and self._doubtful(words[first + left], bits[int(chosen[begin + left])])
                if sure >= self._least(kind, doubtful):
                    yield first + left, first + right, kind, sure

    def _chances(self, meanings: Floats, places: npt.NDArray[np.intp], chosen: npt.NDArray[np.intp]) -> Floats:
        """A row of label probabilities per chosen token."""
        around = np.clip(chosen[:, None] + _WINDOW, 0, len(places) - 1)
        windows = meanings[places[around]].reshape(len(chosen), -1)
        scores = np.empty((len(chosen), len(LABELS)), np.float32)
        for low in range(0, len(chosen), _STEP):
            units = windows[low : low + _STEP] @ self._hidden
            units += self._weights.hidden_bias
            np.maximum(units, 0, out=units)
            np.matmul(units, self._weights.output, out=scores[low : low + _STEP])
        scores += self._weights.output_bias
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores

    def _least(self, kind: str, doubtful: bool) -> float:
        if kind != "person":
            return self._weights.address
        return self._weights.lone if doubtful else self._weights.person

    @staticmethod
    def _doubtful(word: str, listed: int) -> bool:
        """A word alone that no list has as a name, or that has no capital."""
        return word[0].islower() or not listed & (FIRST | LAST)

    def _judged(self, words: list[str], found: Iterable[Span]) -> Iterator[Span]:
        """Without signs and single letters; names known to everybody count for less."""
        for first, last, kind, sure in found:
            if not any(len(word) > 1 and word[0].isalpha() for word in words[first:last]):
                continue
            least = self._least(kind, doubtful=False)
            if kind == "person" and key(_said(words[first:last])) in self._weights.famous:
                sure *= _FAMOUS
            if sure >= least:
                yield first, last, kind, min(sure, 1.0)

    def _mentions(self, words: list[str], kept: list[Span], alone: dict[int, float]) -> list[Span]:
        """Parts of a full name that stand alone elsewhere and look a little like a name there too."""
        parts = {
            word
            for first, last, kind, _ in kept
            if kind == "person" and last - first > 1
            for word in words[first:last]
            if len(word) > 2 and word[0].isupper()
        }
        if not parts:
            return []
        common = dict(zip(parts, self.lexicon.listed(list(parts)), strict=True))
        taken = {place for first, last, _, _ in kept for place in range(first, last)}
        again = (p for p in alone if words[p] in parts and p not in taken and not common[words[p]] & COMMON)
        return [(place, place + 1, "person", max(self._weights.person, alone[place])) for place in again]


def _widened(look: npt.NDArray[np.bool_], low: int, high: int) -> npt.NDArray[np.intp]:
    wide = look.copy()
    for step in range(1, _NEAR + 1):
        wide[step:] |= look[:-step]
        wide[:-step] |= look[step:]
    wide[:low] = False
    wide[high:] = False
    return np.flatnonzero(wide)


def _runs(chosen: npt.NDArray[np.intp], nothing: Floats) -> Iterator[tuple[int, int]]:
    """Stretches of neighbouring tokens, none of which is surely nothing."""
    open_at = np.flatnonzero(nothing < _SURE)
    if not open_at.size:
        return
    breaks = np.flatnonzero((np.diff(open_at) > 1) | (np.diff(chosen[open_at]) > 1)) + 1
    starts = [0, *breaks.tolist()]
    ends = [*breaks.tolist(), len(open_at)]
    for start, end in zip(starts, ends, strict=True):
        yield int(open_at[start]), int(open_at[end - 1]) + 1


def _said(words: list[str]) -> str:
    return " ".join(plain(word.rstrip("'’")) for word in words if word[0].isalpha())


def _cut(text: str, bounds: list[tuple[int, int]], first: int, last: int, kind: str, sure: float) -> Span:
    start, end = bounds[first][0], bounds[last - 1][1]
    while end > start + 1 and text[end - 1] in "'’,;:\n ":
        end -= 1
    return start, end, kind, round(sure, 4)

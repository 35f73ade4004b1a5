"""Reads a text once and marks people's names and postal addresses, each with how sure it is.

Every token gets its probabilities from itself and three neighbours to each side; only tokens near something that looks
like a name or a street are computed. The likeliest lawful sequence of labels is then taken run by run.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import numpy.typing as npt

from gateway.detect.tagger import weights as stored
from gateway.detect.tagger.lexicon import Lexicon
from gateway.detect.tagger.path import spans
from gateway.detect.tagger.weights import LABELS, REACH, Floats, Weights
from gateway.detect.tagger.words import COMMON, EDGE, FIRST, LAST, PARTICLES, PLACE, PLAIN, TOKEN, canonical, key, plain

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
        tokens: list[str] = TOKEN.findall(text)
        alone: dict[int, float] = {}
        kept: list[Span] = []
        low = 0
        for high in _ends(tokens):
            kept += self._block(tokens, low, high, alone)
            low = high
        if not kept:
            return []
        kept += self._mentions(tokens, kept, alone)
        last = max(end for _, end, _, _ in kept)
        bounds = [token.span() for token in islice(TOKEN.finditer(text), last)]
        return sorted(_cut(text, bounds, *span) for span in kept)

    def _block(self, tokens: list[str], low: int, high: int, alone: dict[int, float]) -> Iterator[Span]:
        """Names and addresses between two tokens, as token numbers. `alone` collects how likely a name each is."""
        start = max(0, low - REACH)
        page, known = self.lexicon.read(tokens[start : high + REACH])
        if page.promising.isdisjoint(known):
            return
        edges = [page.places[EDGE]] * REACH
        places = np.array([*edges, *known, *edges], dtype=np.intp)
        chosen = _widened(page.look[places], REACH + low - start, REACH + high - start)
        if not chosen.size:
            return
        chances = self._chances(page.meanings, places, chosen)
        leaning = chances * self._weights.lean
        likeliest: list[int] = leaning.argmax(axis=1).tolist()
        person, address = chances[:, 1] + chances[:, 2], chances[:, 3] + chances[:, 4]
        names: list[float] = person.tolist()
        numbers: list[int] = (chosen + (start - REACH)).tolist()
        for begin, end in _runs(numbers, chances[:, 0].tolist()):
            for place in range(begin, end):
                if names[place] >= _AGAIN:
                    alone[numbers[place]] = names[place]
            if any(likeliest[begin:end]):
                first = numbers[begin]
                words = list(map(canonical, tokens[first : first + end - begin]))
                bits: list[int] = page.bits[places[chosen[begin:end]]].tolist()
                for left, right, kind, sure in self._judged(
                    words, bits, person[begin:end], address[begin:end], spans(leaning[begin:end])
                ):
                    yield first + left, first + right, kind, sure

    def _judged(
        self, words: list[str], bits: list[int], person: Floats, address: Floats, found: list[tuple[int, int, str]]
    ) -> Iterator[Span]:
        """The spans of a run that are sure enough; `person` and `address` say how likely each token is part of one. A
        name everybody knows counts for less, a doubtful word alone needs more."""
        for first, last, kind in found:
            chances, least = address, self._weights.address
            if kind == "person":
                first, last = _trimmed(words, bits, first, last)
                word, listed = words[first], bits[first]
                doubtful = word[0].islower() or listed & (PLACE | COMMON) or not listed & (FIRST | LAST)
                chances, least = person, self._weights.lone if doubtful and last - first == 1 else self._weights.person
            sure = float(np.add.reduce(chances[first:last]) / (last - first))
            if kind == "person" and key(_said(words[first:last])) in self._weights.famous:
                sure *= _FAMOUS
            if sure >= least and any(len(word) > 1 and word[0].isalpha() for word in words[first:last]):
                yield first, last, kind, min(sure, 1.0)

    def _chances(self, meanings: Floats, places: npt.NDArray[np.intp], chosen: npt.NDArray[np.intp]) -> Floats:
        """A row of label probabilities per chosen token, none of which stands at either end of `places`."""
        windows = meanings[places[chosen[:, None] + _WINDOW]].reshape(len(chosen), -1)
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

    def _mentions(self, tokens: list[str], kept: list[Span], alone: dict[int, float]) -> list[Span]:
        """Parts of a full name that stand alone elsewhere and look a little like a name there too."""
        parts = {
            canonical(word)
            for first, last, kind, _ in kept
            if kind == "person" and last - first > 1
            for word in tokens[first:last]
            if len(word) > 2 and word[0].isupper()
        }
        taken = {place for first, last, _, _ in kept for place in range(first, last)}
        again = [place for place in alone if place not in taken and canonical(tokens[place]) in parts]
        if not again:
            return []
        common = dict(zip(parts, self.lexicon.listed(list(parts)), strict=True))
        again = [place for place in again if not common[canonical(tokens[place])] & COMMON]
        return [(place, place + 1, "person", max(self._weights.person, alone[place])) for place in again]


def _ends(words: list[str]) -> Iterator[int]:
    """Where blocks end: at most _BLOCK tokens on, between two words in lower case if such are near."""
    end = 0
    while end < len(words):
        start, end = end, min(end + _BLOCK, len(words))
        if end < len(words):
            near = range(end, max(start, end - 100), -1)
            end = next((at for at in near if words[at].islower() and words[at - 1].islower()), end)
        yield end


def _trimmed(words: list[str], bits: list[int], first: int, last: int) -> tuple[int, int]:
    """A name without small words that lead on from it ("y", "and") or up to it ("Tomorrow Rossi ...")."""
    while last - first > 1 and words[last - 1][0].islower() and _small(bits[last - 1]):
        last -= 1
    if last - first > 1 and words[first][0].isupper() and _small(bits[first]) and plain(words[first]) not in PARTICLES:
        first += 1
    return first, last


def _small(listed: int) -> bool:
    return bool(listed & PLAIN) and not listed & (FIRST | LAST)


def _widened(look: npt.NDArray[np.bool_], low: int, high: int) -> npt.NDArray[np.intp]:
    """The promising tokens between two places, and their neighbours there."""
    wide = look.copy()
    for step in range(1, _NEAR + 1):
        wide[step:] |= look[:-step]
        wide[:-step] |= look[step:]
    wide[:low] = False
    wide[high:] = False
    return np.flatnonzero(wide)


def _runs(numbers: list[int], nothing: list[float]) -> Iterator[tuple[int, int]]:
    """Stretches of neighbouring tokens, none of which is surely nothing."""
    begin: int | None = None
    for place, chance in enumerate(nothing):
        if begin is not None and (chance >= _SURE or numbers[place] != numbers[place - 1] + 1):
            yield begin, place
            begin = None
        if begin is None and chance < _SURE:
            begin = place
    if begin is not None:
        yield begin, len(nothing)


def _said(words: list[str]) -> str:
    return " ".join(plain(word.rstrip("'’")) for word in words if word[0].isalpha())


def _cut(text: str, bounds: list[tuple[int, int]], first: int, last: int, kind: str, sure: float) -> Span:
    start, end = bounds[first][0], bounds[last - 1][1]
    while end > start + 1 and text[end - 1] in "'’,;:\n ":
        end -= 1
    return start, end, kind, round(sure, 4)

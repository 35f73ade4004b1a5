"""Words and pairs of words as numbered places: what lets a head remember which words went with which gain.

A place is a checksum of the word, so that no list of words ships with the weights.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Places: TypeAlias = NDArray[np.intp]
Values: TypeAlias = NDArray[np.float32]

PLACES = 1 << 15
FORM = 5
"""Letters of a word's start that count as well, so that `integral` and `integrals` meet."""
COMMON = 0.05
"""Places that a larger share of texts has are multiplied as a matrix, the others looked up one by one."""


def places(tokens: Sequence[str]) -> Places:
    """The places of a text, each once and in order."""
    crc = zlib.crc32
    letters = {token: token.encode() for token in tokens}  # two of five words were said before
    found = list(map(crc, letters.values()))
    # A checksum goes on from another: that of a word and a space goes on to that of a pair.
    spaced = {token: crc(b" ", word) for token, word in zip(letters, found, strict=True)}
    before = crc(b"^ ")
    for token in tokens:
        found.append(crc(letters[token], before))
        before = spaced[token]
    found += [crc(f"{token[:FORM]}*".encode()) for token in letters if len(token) > FORM]
    at = (np.array(found, dtype=np.int64) & (PLACES - 1)).astype(np.intp, copy=False)
    at.sort()
    first = np.ones(at.size, dtype=np.bool_)
    np.not_equal(at[1:], at[:-1], out=first[1:])
    return at[first]


def rarity(texts: Sequence[Places]) -> Values:
    """ln(texts / texts that have it) for every place; one that no text has counts like one that a single text has."""
    seen = np.zeros(PLACES)
    for each in texts:
        seen[each] += 1
    found: Values = np.log(max(len(texts), 2) / np.maximum(seen, 1)).astype(np.float32)
    return found


def weighed(text: Places, rare: Values) -> Values:
    """What each of the text's places counts; their squares sum to one, so that unseen words take from the seen ones."""
    found = rare[text]
    relative: Values = found / np.float32(max(float(np.linalg.norm(found)), 1e-9))
    return relative


@dataclass(frozen=True, slots=True)
class Index:
    """Where each place stands among some texts, for the similarity of a text to all of them."""

    count: int
    starts: Places
    """Of each place, in the two columns below."""
    texts: Places
    values: Values
    column: Places
    """Of each common place, in the matrix; −1 for all others."""
    matrix: Values

    @classmethod
    def of(cls, texts: Sequence[Places], values: Sequence[Values], width: int = PLACES) -> Index:
        at, value = np.concatenate(texts), np.concatenate(values)
        row = np.repeat(np.arange(len(texts)), [len(text) for text in texts])
        common = np.flatnonzero(np.bincount(at, minlength=width) > COMMON * len(texts))
        column = np.full(width, -1)
        column[common] = np.arange(len(common))
        matrix = np.zeros((len(texts), len(common)), dtype=np.float32)
        often = column[at] >= 0
        matrix[row[often], column[at[often]]] = value[often]
        order = np.argsort(at[~often], kind="stable")
        starts = np.searchsorted(at[~often][order], np.arange(width + 1))
        return cls(len(texts), starts, row[~often][order], value[~often][order], column, matrix)

    def like(self, texts: Sequence[Places], values: Sequence[Values]) -> Values:
        """The scalar product of every given text with every one of the index."""
        found = np.zeros((len(texts), self.count), dtype=np.float32)
        block = np.zeros((len(texts), self.matrix.shape[1]), dtype=np.float32)
        for number, (at, value) in enumerate(zip(texts, values, strict=True)):
            often = self.column[at] >= 0
            block[number, self.column[at[often]]] = value[often]
            spans = [np.arange(self.starts[place], self.starts[place + 1]) for place in at[~often]]
            if spans:
                posts = np.concatenate(spans)
                each = np.repeat(value[~often], [len(span) for span in spans]) * self.values[posts]
                found[number] = np.bincount(self.texts[posts], weights=each, minlength=self.count)
        like: Values = found + block @ self.matrix.T
        return like

"""Fingerprints of a text: a keyed hash of every row of 32 letters and digits in it.

Of an answer every fourth is remembered; of a request all are computed, so no two sides need agree on where to begin.
Any stretch of 70 letters and digits of an answer holds nine remembered rows whole, wherever it was cut out: that is
what `NEEDED` asks for. One row alone is a phrase, nine in an unbroken run are 64 letters and digits, about 80
characters as they are written.
"""

from __future__ import annotations

import hashlib
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from gateway.taint.reading import Codes

Prints: TypeAlias = NDArray[np.uint64]

ROW = 32
"""Letters and digits under one fingerprint."""
STEP = 4
"""Of an answer, one row in this many is remembered."""
NEEDED = 9
"""Different fingerprints of one answer, in an unbroken run, that make a text a copy of it."""

_AT_ONCE = 1 << 15
_WORD = np.uint64
_MASK = (1 << 64) - 1


class Hasher:
    """Rolling hash over secret 64-bit values, one for each letter, to a secret base modulo 2**64.

    Without the secret nobody can tell what a fingerprint stands for, nor make two texts that share one.
    """

    def __init__(self, secret: bytes) -> None:
        stream = hashlib.shake_256(b"taint fingerprints\0" + secret).digest(8 * (0x10000 + 1))
        values = np.frombuffer(stream, dtype="<u8")
        self._letters = values[:-1]
        base = int(values[-1]) & ~7 | 5  # odd, so that it has an inverse; 5 modulo 8, so that its powers last longest
        self._powers = _powers(base, _AT_ONCE + ROW)
        self._inverses = _powers(pow(base, -1, 1 << 64), _AT_ONCE + ROW)

    def every(self, codes: Codes) -> Prints:
        """The hash of each row, in order; shorter texts have none."""
        if len(codes) <= _AT_ONCE:
            return self._rolled(codes)
        starts = range(0, len(codes) - ROW + 1, _AT_ONCE - ROW + 1)
        return np.concatenate([self._rolled(codes[start : start + _AT_ONCE]) for start in starts])

    def _rolled(self, codes: Codes) -> Prints:
        count = len(codes) - ROW + 1
        if count <= 0:
            return np.empty(0, _WORD)
        sums = np.empty(len(codes) + 1, _WORD)
        sums[0] = 0
        np.cumsum(self._letters[codes] * self._powers[: len(codes)], out=sums[1:])
        rolled: Prints = (sums[ROW:] - sums[:count]) * self._inverses[:count]
        return rolled


def own(prints: Prints, key: int) -> Prints:
    """The fingerprints as one tenant's subject has them: equal text of two subjects has nothing in common."""
    mixed = (prints ^ _WORD(key & _MASK)) * _WORD(0x9E3779B97F4A7C15)
    mixed ^= mixed >> _WORD(32)
    mixed *= _WORD(0xD6E8FEB86659FD93)
    mixed ^= mixed >> _WORD(32)
    return mixed


def remembered(prints: Prints) -> Prints:
    """What is kept of an answer: one in `STEP`, each once, in the order of their size."""
    return np.unique(prints[::STEP])


def needed(prints: Prints, letters: int) -> int:
    """How many of `remembered(prints)` make a copy of a text of so many letters and digits; 0 = none ever do.

    A text too short for nine rows counts when all of it is there. One that repeats itself (a row of zeros) has too
    few different rows to be told from others of its kind: only the whole of it counts.
    """
    rows = max(0, (letters - ROW) // STEP + 1)
    wanted = min(NEEDED, rows)
    return wanted if wanted and len(prints) >= wanted else 0


def _powers(base: int, count: int) -> Prints:
    powers = np.full(count, _WORD(base), _WORD)
    powers[0] = 1
    np.multiply.accumulate(powers, out=powers)
    return powers

"""Whether a text has begun to repeat itself: small models do, and never find out of it."""

from __future__ import annotations

import re

LONGEST = 8
"""Words of the longest phrase whose repetition counts."""
_SIGNS = re.compile(r"([^\W_]{1,4}?)\1{7,}|\n{8,}")
"""One to four letters eight times over, or empty lines. Rules of dashes and the like are typography."""


def loops(text: str) -> bool:
    """Whether it ends in the same word four times or in the same few words three times, or anywhere in a stutter."""
    words = text.casefold().split()
    return _SIGNS.search(text) is not None or any(_repeats(words, period) for period in range(1, LONGEST + 1))


def _repeats(words: list[str], period: int) -> bool:
    times = 4 if period == 1 else 3
    tail = words[-period * times :]
    return len(tail) == period * times and tail == tail[:period] * times

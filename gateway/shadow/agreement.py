"""How far two answers say the same: one number, and no text is kept of either."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
"""A word; in Chinese and Japanese, which put no space between words, one sign."""


def agreement(one: str, other: str) -> float:
    """1 where both say the same words in the same order, else their F1 over words: 0 … below 1."""
    words, others = _words(one), _words(other)
    if words == others:
        return 1.0
    common = sum((Counter(words) & Counter(others)).values())
    # The same words in another order are not quite the same answer.
    return min(2 * common / (len(words) + len(others)), 0.99)


def _words(text: str) -> list[str]:
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())

"""How sure a score may be at most of what hardly is a text: an emoji, a letter 100,000 times, an unknown script."""

from __future__ import annotations

from gateway.score.ask import Ask

ILLEGIBLE = 0.55
"""Nothing was read: little more than a coin."""
UNKNOWN = 0.6
"""Read by its length and signs alone."""
WORD = 60
"""Letters that the longest word of a text may have; German stops before."""
FEW_LETTERS, FEW_WORDS = 8, 5
"""A text of 40 letters has more different ones; one of many words says none of them five times on average."""
LONG = 40


def most_sure(ask: Ask, language: str | None) -> float:
    """The cap on the confidence of a score of `ask`: 1 for a text."""
    if ask.code_chars:
        return 1.0
    return ILLEGIBLE if _illegible(ask.prose) else UNKNOWN if language is None and not _latin(ask.prose) else 1.0


def _illegible(prose: str) -> bool:
    words = prose.split()
    if not any(map(str.isalpha, prose)) or (max(map(len, words)) > WORD and "://" not in prose):
        return True
    # The first letters of nearly every text are different enough; only of the others all are compared.
    if len(prose) > LONG and len(set(prose[:LONG])) < FEW_LETTERS and len(set(prose)) < FEW_LETTERS:
        return True
    return len(words) > LONG // 2 and FEW_WORDS * len(set(words)) < len(words)


def _latin(prose: str) -> bool:
    """Whether most letters are Latin ones."""
    return prose.isascii() or 2 * sum(letter < "\u0250" for letter in prose) >= len(prose)

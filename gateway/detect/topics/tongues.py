"""Which languages a sentence may be in: a word of one language is no word of another ("als", "ist", "son")."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import repeat

from gateway.detect.topics.lexicon import ENOUGH, EVERY, LANGUAGES, SHARE, Lexicon, said_for
from gateway.detect.topics.tokens import Tokens

_ALL = frozenset((*LANGUAGES, EVERY))


class Tongues:
    """The languages whose words count in each sentence. Where a sentence does not say, the whole text does."""

    __slots__ = ("_common", "_known", "_otherwise", "_tokens")

    def __init__(self, tokens: Tokens, lexicon: Lexicon) -> None:
        self._tokens = tokens
        self._common = lexicon.common
        self._known: dict[int, frozenset[str]] = {}
        self._otherwise: frozenset[str] | None = None

    def of(self, sentence: int) -> frozenset[str]:
        known = self._known.get(sentence)
        if known is None:
            places = self._tokens.sentence
            words = self._tokens.words[bisect_left(places, sentence) : bisect_right(places, sentence)]
            known = self._known[sentence] = self._likely(words) or self._whole()
        return known

    def _whole(self) -> frozenset[str]:
        if self._otherwise is None:
            self._otherwise = self._likely(self._tokens.words) or _ALL
        return self._otherwise

    def _likely(self, words: list[str]) -> frozenset[str]:
        """The languages that words are of; none where they do not say."""
        return _meant(sum(map(self._common.get, words, repeat(0))))


@lru_cache(4096)
def _meant(total: int) -> frozenset[str]:
    """The languages of which common words add up to `total`."""
    said = said_for(total)
    best = max(said.values())
    if best < ENOUGH:
        return frozenset()
    return frozenset((EVERY, *(language for language, count in said.items() if count * 100 >= SHARE * best)))

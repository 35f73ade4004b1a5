"""Which languages a sentence may be in: a word of one language is no word of another ("als", "ist", "son")."""

from __future__ import annotations

from collections.abc import Sequence

from gateway.detect.topics.lexicon import EVERY, LANGUAGES, Lexicon
from gateway.detect.topics.tokens import Tokens

_ALL = frozenset((*LANGUAGES, EVERY))
_ENOUGH = 1.5
"""Common words of one language before another is ruled out."""
_SHARE = 0.34
"""A language with this share of the best one's words may be meant as well: texts are mixed."""


def tongues(tokens: Tokens, lexicon: Lexicon) -> Sequence[frozenset[str]]:
    """Sentence → the languages whose words count there. Where a sentence does not say, the whole text does."""
    count = tokens.sentence[-1] + 1 if len(tokens) else 0
    scores: list[dict[str, float]] = [{} for _ in range(count)]
    whole: dict[str, float] = {}
    common = lexicon.common
    for word, sentence in zip(tokens.words, tokens.sentence, strict=True):
        if word not in common:
            continue
        for language, weight in common[word].items():
            here = scores[sentence]
            here[language] = here.get(language, 0.0) + weight
            whole[language] = whole.get(language, 0.0) + weight
    otherwise = _likely(whole, _ALL)
    return [_likely(score, otherwise) for score in scores]


def _likely(score: dict[str, float], otherwise: frozenset[str]) -> frozenset[str]:
    best = max(score.values(), default=0.0)
    if best < _ENOUGH:
        return otherwise
    return frozenset((EVERY, *(language for language, said in score.items() if said >= _SHARE * best)))

"""A language is ruled out for a whole text only where no sentence of it could be in that language."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.detect.topics import lexicon
from gateway.detect.topics.lexicon import EVERY, LANGUAGES, fold, possible
from gateway.detect.topics.tokens import WORD, cut
from gateway.detect.topics.tongues import Tongues

COMMON = {
    "en": "the of and is with which every",
    "it": "della che sono questo anche gli",
    "de": "und der nicht ist auch wenn",
    "fr": "les est une dans pour avec",
    "es": "los muy pero con una del",
    "": "in a no me data 12 zzz",
}
SENTENCES = st.lists(st.sampled_from([word for words in COMMON.values() for word in words.split()]), max_size=12)


def total(text: str) -> int:
    return sum(lexicon.load().common.get(word, 0) for word in WORD.findall(fold(text)))


@given(st.lists(SENTENCES, max_size=6))
def test_what_a_sentence_may_be_in_the_text_may_be_in(sentences: list[list[str]]) -> None:
    text = ". ".join(" ".join(words) for words in sentences) + "."
    tokens = cut(text, fold(text))
    tongues = Tongues(tokens, lexicon.load())
    assert all(tongues.of(sentence) <= possible(total(text)) for sentence in set(tokens.sentence))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_in_one_language_rules_most_others_out(language: str) -> None:
    spoken = possible(total(COMMON[language]))
    assert {language, EVERY} <= spoken
    assert len(spoken) < 4


def test_a_text_that_says_nothing_of_its_language_may_be_in_any() -> None:
    assert possible(total("zzz 12")) == {*LANGUAGES, EVERY}

"""Where words stand is worked out by stretches, and comes to what looking at the whole text comes to."""

from bisect import bisect_right

import pytest

from gateway.detect.topics.lexicon import fold
from gateway.detect.topics.tokens import WORD, cut

TEXTS = [
    "my son Luca, my daughter Anna",
    "One. Two three! Élan vital? Four",
    "a\n\nb. c\n- d",
    "x" * 50 + ". y",
]


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("backwards", [False, True])
def test_a_word_is_found_by_any_offset_inside_it_in_whatever_order_they_are_asked_for(
    text: str, backwards: bool
) -> None:
    tokens = cut(text, fold(text))
    starts = [match.start() for match in WORD.finditer(fold(text))]
    inside = [offset for match in WORD.finditer(fold(text)) for offset in range(*match.span())]
    for offset in inside[:: -1 if backwards else 1]:
        assert tokens.number(offset) == bisect_right(starts, offset) - 1
    assert [tokens.start(index) for index in range(len(tokens))] == starts

"""What hardly is a text has a score with low confidence or none, in time that grows no faster than the text."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.core.scoring import FAMILIES, Needs
from gateway.core.types import Request
from gateway.score.ask import ask_of, last_ask
from gateway.score.doubt import most_sure
from gateway.score.easy import easy_intent
from gateway.score.family import family_of
from gateway.score.features import read
from gateway.score.lexicon import lexicon
from gateway.score.scorer import EnsembleScorer

pytestmark = pytest.mark.anyio
MANY = 100_000
NOTHING = {
    "empty": "",
    "blank": " \n\t" * 9,
    "spaces": " " * MANY,
    "lines": "\n" * MANY,
    "fences": "```" * (MANY // 3),
    "only wrapped": "<system-reminder>" + "a" * MANY + "</system-reminder>",
}
ODD = {
    "an emoji": "🙂",
    "families": "👨\u200d👩\u200d👧 " * 500,
    "one letter": "a" * MANY,
    "one accented letter": "é" * MANY,
    "one digit": "1" * MANY,
    "nul": "\0" * 1000,
    "half a character": "\ud800" * 50,
    "right to left": "\u202e" * 1000,
    "cuneiform": "𒀀𒁀𒂀 " * 50,
    "khmer": "សួស្តី",
    "accents": "a" + "\u0301" * MANY,
    "open tags": "<context>" * 10_000,
    "tags": "<context>" * 10_000 + "</context>" * 10_000,
    "quotes": '"' * MANY,
    "brackets": "[(" * (MANY // 2),
    "questions": "?" * MANY,
    "private use": "\ue000" * 1000,
    "settings": "model:" * (MANY // 6),
    "letters apart": "a " * (MANY // 2),
    "two scripts": "a\u0430" * (MANY // 2),
    "digits in letters": "a1" * (MANY // 2),
    "one long word": "Donaudampfschiff" * 10_000,
    "one word": "prove " * (MANY // 6),
}


@pytest.mark.parametrize("text", NOTHING.values(), ids=NOTHING.keys())
def test_nothing_has_no_score(scorer: EnsembleScorer, text: str) -> None:
    score = scorer.score_text(text)
    assert score.gain is None
    assert score.confidence == 0


@pytest.mark.parametrize("text", ODD.values(), ids=ODD.keys())
def test_what_hardly_is_a_text_has_a_score_of_low_confidence(scorer: EnsembleScorer, text: str) -> None:
    score = scorer.score_text(text)
    assert score.gain is not None
    assert 0 <= score.gain <= 1
    assert score.confidence <= 0.6


@pytest.mark.parametrize("text", [*NOTHING.values(), *ODD.values()], ids=[*NOTHING, *ODD])
def test_it_has_a_family_and_is_never_easy(text: str) -> None:
    ask = ask_of(text)
    reading = read(ask, lexicon())
    assert family_of(reading, ask, Needs()) in FAMILIES
    assert easy_intent(reading, ask) is None


@pytest.mark.parametrize(
    "text",
    [
        "What is the capital of France?",
        "Donaudampfschifffahrtsgesellschaftskapitän ist ein langes Wort",
        "Summarise https://example.org/" + "a" * 100,
        "Prove that there are infinitely many primes, step by step. " * 3,
        "Объясните, как работает квантовый компьютер",
        "Why?\n```\nx = 1\n```",
    ],
)
def test_a_text_is_not_doubted(text: str) -> None:
    ask = ask_of(text)
    assert most_sure(ask, read(ask, lexicon()).language) == 1


def nest(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


BODIES: dict[str, Any] = {
    "no messages": {},
    "messages as text": {"messages": "hello"},
    "messages as an object": {"messages": {"role": "user", "content": "hello"}},
    "a list of lists": {"messages": [["user", "hello"]]},
    "content as an object": {"messages": [{"role": "user", "content": {"text": "hello"}}]},
    "content as a number": {"messages": [{"role": "user", "content": 3.5}]},
    "text as a list": {"messages": [{"role": "user", "content": [{"type": "text", "text": ["hello"]}]}]},
    "type as a list": {"messages": [{"role": "user", "content": [{"type": ["text"], "text": "hello"}]}]},
    "role as a list": {"messages": [{"role": ["user"], "content": "hello"}]},
    "a deep nest": {"messages": [{"role": "user", "content": nest(5_000)}]},
    "tools as text": {"messages": [{"role": "user", "content": "hello"}], "tools": "all", "response_format": 3},
    "limits as text": {"messages": [{"role": "user", "content": "hello"}], "max_tokens": "many"},
    "ten thousand messages": {"messages": [{"role": "user", "content": "go on"}] * 10_000},
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES.keys())
async def test_no_shape_of_a_body_is_an_exception(
    scorer: EnsembleScorer, request_of: Callable[..., Request], body: Any
) -> None:
    request = Request(id="r", principal=request_of("x").principal, model="auto", body=body)
    score = await scorer.score(request)
    assert score.gain is None or 0 <= score.gain <= 1


def test_of_a_text_of_any_length_as_much_is_read() -> None:
    for text in ODD.values():
        assert len(ask_of(text).prose) <= 1001
    assert len(last_ask([{"role": "user", "content": "and go on " * 5}] * 500).prose) <= 1001

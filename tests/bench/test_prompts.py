"""No prompt cache can help a measured server: every question is new from its first word."""

from __future__ import annotations

from itertools import islice

from bench.engine_scenarios import arrivals
from bench.prompts import handbooks, stories


def test_questions_differ_from_their_first_words_on() -> None:
    asked = [text for seed in range(3) for text in islice(stories(seed), 200)]
    assert len({text[:20] for text in asked}) > 0.99 * len(asked)
    assert len(set(asked)) == len(asked)


def test_questions_are_about_as_long_as_each_other() -> None:
    lengths = [len(text) for text in islice(stories(1), 200)]
    assert max(lengths) < 1.25 * min(lengths)


def test_the_same_seed_asks_every_server_the_same() -> None:
    assert list(islice(stories(7), 20)) == list(islice(stories(7), 20))
    assert arrivals(20, 2.0, seed=3) == arrivals(20, 2.0, seed=3)


def test_system_prompts_are_all_different_and_of_one_size() -> None:
    books = list(islice(handbooks(1), 20))
    assert len(set(books)) == len(books)
    assert all(1400 < len(book) < 2400 for book in books)


def test_arrivals_come_at_the_rate_asked_for_with_answers_of_all_lengths() -> None:
    asks = arrivals(2000, 4.0, seed=1)
    assert 0.9 < asks[-1].at_s * 4.0 / len(asks) < 1.1
    assert min(ask.max_tokens for ask in asks) == 16
    assert max(ask.max_tokens for ask in asks) == 128
    assert [ask.at_s for ask in asks] == sorted(ask.at_s for ask in asks)

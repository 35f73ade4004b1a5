"""When the breaker lets a caller through."""

from __future__ import annotations

from gateway.cache.breaker import Breaker


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_failures_in_a_row_and_says_so_once() -> None:
    breaker = Breaker(failures=3, clock=Clock())
    breaker.failed()
    breaker.failed()
    breaker.succeeded()
    assert [breaker.failed() for _ in range(4)] == [False, False, True, False]
    assert not breaker.allows()


def test_after_a_rest_one_caller_tries_and_the_others_keep_out() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, rest_s=5, clock=clock)
    breaker.failed()
    clock.now = 4.9
    assert not breaker.allows()
    clock.now = 5.0
    assert [breaker.allows() for _ in range(3)] == [True, False, False]


def test_a_try_that_is_never_reported_only_costs_another_rest() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, rest_s=5, clock=clock)
    breaker.failed()
    clock.now = 5.0
    assert breaker.allows()
    clock.now = 10.0
    assert breaker.allows()


def test_success_closes_it_and_says_so_once() -> None:
    clock = Clock()
    breaker = Breaker(failures=1, rest_s=5, clock=clock)
    breaker.failed()
    clock.now = 5.0
    breaker.allows()
    assert [breaker.succeeded(), breaker.succeeded()] == [True, False]
    assert breaker.allows()

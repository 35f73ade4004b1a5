"""What the scheduler computes when, seen from the context: real vocabulary, a context that only takes notes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gateway.engine.ask import Ask
from gateway.engine.batch.context import Interrupted
from gateway.engine.batch.job import Job
from gateway.engine.batch.model import EngineFault, Model
from gateway.engine.batch.passes import TRIALS
from gateway.engine.batch.rows import Step
from gateway.engine.batch.scheduler import LEAST_PIECE, PATIENCE_S, STALL_S, Scheduler
from gateway.engine.batch.slots import MIN_COPY
from gateway.engine.files.catalogue import ModelFile

SPEED = 1000.0
"""Tokens a second that the fake computes, by the fake clock."""


@dataclass
class NotedContext:
    """Stands in for `Context`: the same calls and refusals, token 504 ("The") always, and a clock that it advances."""

    n_vocab: int
    n_sequences: int = 4
    n_context: int = 1024
    n_batch: int = 512
    can_shift: bool = True
    now: float = 0.0
    calls: list[dict[int, int]] = field(default_factory=list)
    """For each decode: tokens by sequence."""
    cells: dict[int, list[int]] = field(default_factory=dict)
    adapters: list[str | None] = field(default_factory=list)
    copies: list[tuple[int, int, int]] = field(default_factory=list)
    breaks: list[Exception] = field(default_factory=list)
    flag: bool = False
    during: Any = None

    def decode(
        self, tokens: Sequence[int], positions: Sequence[int], sequences: Sequence[int], wanted: Sequence[bool]
    ) -> NDArray[np.float32]:
        assert len(tokens) == len(positions) == len(sequences) == len(wanted) <= self.n_batch
        assert list(sequences) == sorted(sequences), "rows stand in the order of their sequences"
        if self.during is not None:
            self.during()
        if self.breaks:
            raise self.breaks.pop(0)
        if self.flag:
            raise Interrupted
        counts: dict[int, int] = {}
        for token, position, sequence in zip(tokens, positions, sequences, strict=True):
            held = self.cells.setdefault(sequence, [])
            assert position == len(held), "no gap and nothing twice"
            assert position < self.n_context
            held.append(token)
            counts[sequence] = counts.get(sequence, 0) + 1
        self.calls.append(counts)
        self.now += len(tokens) / SPEED
        logits = np.zeros((sum(wanted), self.n_vocab), np.float32)
        logits[:, 504] = 9
        return logits

    def keep(self, sequence: int, count: int) -> int:
        del self.cells.setdefault(sequence, [])[count:]
        return len(self.cells[sequence])

    def copy(self, source: int, target: int, count: int) -> int:
        self.copies.append((source, target, count))
        self.cells[target] = self.cells[source][:count]
        return count

    def shift(self, sequence: int, keep: int, discard: int) -> None:
        del self.cells[sequence][keep : keep + discard]

    def adapt(self, name: str | None) -> None:
        self.adapters.append(name)

    def clear(self) -> None:
        self.cells.clear()

    def abort(self) -> None:
        self.flag = True

    def resume(self) -> None:
        self.flag = False


@dataclass
class Bench:
    model: Model
    context: NotedContext
    scheduler: Scheduler = field(init=False)
    steps: list[Step] = field(default_factory=list)
    firsts: list[int] = field(default_factory=list)
    ended: list[Job] = field(default_factory=list)
    failed: list[tuple[int, str]] = field(default_factory=list)
    dropped: list[int] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=lambda: iter(range(1, 1000)))

    def start(self, **options: Any) -> Bench:
        self.scheduler = Scheduler(
            self.model,
            self.context,  # type: ignore[arg-type]
            steps=self._note,
            ended=self.ended.append,
            failed=lambda job, error: self.failed.append((job.number, type(error).__name__)),
            dropped=self.dropped.append,
            clock=lambda: self.context.now,
            **options,
        )
        return self

    def _note(self, steps: Sequence[Step]) -> None:
        self.steps += steps
        self.firsts += [step.request for step in steps if step.request not in self.firsts]

    def ask(self, prompt: Sequence[int] | int, *, tokens: int = 8, n: int = 1, **more: Any) -> Job:
        number = next(self.numbers)
        read = list(range(number * 5000, number * 5000 + prompt)) if isinstance(prompt, int) else prompt
        read = [token % 40_000 for token in read]
        job = Job(number, Ask(max_tokens=tokens, temperature=0, n=n), read, seed=1, limit=tokens, **more)
        self.scheduler.add(job)
        return job

    def run(self, steps: int | None = None) -> None:
        while not self.scheduler.idle and steps != 0:
            self.scheduler.step()
            steps = None if steps is None else steps - 1

    def made(self, job: Job) -> int:
        return sum(step.request == job.number for step in self.steps)


@pytest.fixture(scope="module")
def vocabulary(model: ModelFile) -> Iterator[Model]:
    loaded = Model(model.path)
    yield loaded
    loaded.close()


@pytest.fixture
def bench(vocabulary: Model) -> Bench:
    return Bench(vocabulary, NotedContext(vocabulary.n_vocab)).start()


def test_what_comes_together_is_read_first_and_then_answered_in_full_batches(bench: Bench) -> None:
    for _ in range(4):
        bench.ask(200, tokens=5)
    bench.run()
    reading, answering = bench.context.calls[:4], bench.context.calls[4:]
    assert [list(call.values()) for call in reading] == [[200]] * 4
    assert answering[:TRIALS] == [{0: 1, 1: 1, 2: 1, 3: 1}] * TRIALS
    assert len(bench.ended) == 4


def test_a_few_answers_are_computed_one_after_the_other_where_that_is_faster(vocabulary: Model) -> None:
    context = NotedContext(vocabulary.n_vocab)
    bench = Bench(vocabulary, context).start()
    for _ in range(2):
        bench.ask(20, tokens=20)
    bench.run(2)

    def slow() -> None:
        context.now += 1.0 if len(context.calls) < TRIALS + 2 else 0.0

    context.during = slow
    bench.run()
    assert context.calls[2 : 2 + TRIALS] == [{0: 1, 1: 1}] * TRIALS
    assert context.calls[2 + TRIALS :] == [{0: 1}, {1: 1}] * (19 - TRIALS)
    assert len(bench.ended) == 2


def test_a_long_prompt_comes_in_slices_between_the_words_of_others(bench: Bench) -> None:
    talking = bench.ask(20, tokens=100)
    bench.run(10)
    bench.ask(900, tokens=2)
    before = bench.made(talking)
    bench.run(8)
    pieces = [count for call in bench.context.calls for count in call.values() if count >= LEAST_PIECE]
    assert bench.made(talking) - before == 8, "a word with every step"
    assert len(pieces) >= 5
    assert max(pieces) <= STALL_S * SPEED * 1.1


def test_a_long_prompt_is_read_in_large_pieces_while_nobody_listens(bench: Bench) -> None:
    bench.ask(900, tokens=1)
    bench.run()
    assert [list(call.values()) for call in bench.context.calls] == [[512], [388]]


def test_a_second_token_does_not_wait_for_ever_on_those_that_came_with_it(vocabulary: Model) -> None:
    bench = Bench(vocabulary, NotedContext(vocabulary.n_vocab, n_context=32_768)).start()
    first = bench.ask(10)
    bench.ask(int(2 * PATIENCE_S * SPEED), tokens=1)
    while bench.made(first) < 2:
        bench.run(1)
    assert PATIENCE_S <= bench.context.now <= PATIENCE_S + 1
    assert len(bench.firsts) == 1


def test_a_short_prompt_passes_a_long_one_but_not_one_that_waited_as_long_as_it_takes(vocabulary: Model) -> None:
    bench = Bench(vocabulary, NotedContext(vocabulary.n_vocab, n_context=8192)).start()
    document = bench.ask(6000, tokens=1)
    bench.run(2)
    question = bench.ask(20, tokens=1)
    bench.run(1)
    assert bench.firsts == [question.number]
    bench.context.now = 3600.0
    late = bench.ask(20, tokens=1)
    bench.run()
    assert bench.firsts == [question.number, document.number, late.number]


def test_choices_share_their_prompt(bench: Bench) -> None:
    job = bench.ask(300, tokens=4, n=3)
    bench.run()
    assert [list(call.values()) for call in bench.context.calls[:3]] == [[300], [1], [1]]
    assert bench.context.copies == [(0, 1, 299), (0, 2, 299)]
    assert job.cached == 0
    assert job.made == 12


def test_requests_with_the_same_beginning_wait_for_the_one_that_reads_it(bench: Bench) -> None:
    system = list(range(1, 601))
    jobs = [bench.ask([*system, *range(1000 * n, 1000 * n + 20)], tokens=1) for n in range(2, 6)]
    bench.run()
    read = sum(count for call in bench.context.calls for count in call.values())
    assert read == 600 + 4 * 20
    assert [job.cached for job in jobs] == [0, 600, 600, 600]


@pytest.mark.parametrize(("tenant", "public", "cached"), [("a", 0, 100), ("b", 0, 0), ("b", 60, 60)])
def test_tenants_share_the_operators_text_alone(bench: Bench, tenant: str, public: int, cached: int) -> None:
    beginning = list(range(1, 101))
    bench.ask([*beginning, *range(2000, 2020)], tokens=1, tenant="a", public=public)
    bench.run()
    job = bench.ask([*beginning, *range(3000, 3020)], tokens=1, tenant=tenant, public=public)
    bench.run()
    assert MIN_COPY < 60
    assert job.cached == cached


def test_a_cancelled_job_is_broken_off_in_the_middle_of_a_step(bench: Bench) -> None:
    job = bench.ask(900)
    bench.context.during = lambda: bench.scheduler.cancel(job.number)
    bench.run()
    assert bench.dropped == [job.number]
    assert bench.context.calls == []
    assert not bench.scheduler.idle or bench.steps == []


def test_a_cancelled_job_leaves_those_in_its_batch_alone(bench: Bench) -> None:
    one, other = bench.ask(10, tokens=6), bench.ask(10, tokens=6)
    bench.run(3)
    bench.context.during = lambda: bench.scheduler.cancel(one.number)
    bench.run()
    assert bench.dropped == [one.number]
    assert [job.number for job in bench.ended] == [other.number]
    assert bench.made(other) == 6


def test_a_job_cancelled_before_it_came_is_not_begun(bench: Bench) -> None:
    bench.scheduler.cancel(1)
    bench.ask(10)
    other = bench.ask(10, tokens=1)
    bench.run()
    assert bench.dropped == [1]
    assert [job.number for job in bench.ended] == [other.number]


def test_a_fault_of_the_library_ends_the_jobs_in_the_step_and_no_others(bench: Bench) -> None:
    one = bench.ask(10, tokens=3)
    bench.run(2)
    bench.context.breaks = [EngineFault("llama_decode returned -3")]
    bench.run()
    assert bench.failed == [(one.number, "EngineFault")]
    other = bench.ask(10, tokens=3)
    bench.run()
    assert bench.ended == [other]


def test_steps_hold_rows_of_one_adapter_and_every_adapter_has_its_turn(bench: Bench) -> None:
    for adapter in ("legal", None, "legal"):
        bench.ask(10, tokens=5, adapter=adapter)
    bench.run()
    answering = bench.context.calls[3:]
    assert {0: 1, 2: 1} in answering
    assert {1: 1} in answering
    assert answering[:4] in ([{0: 1, 2: 1}, {1: 1}] * 2, [{1: 1}, {0: 1, 2: 1}] * 2)


def test_a_full_context_ends_the_answer_where_it_does_not_shift(vocabulary: Model) -> None:
    bench = Bench(vocabulary, NotedContext(vocabulary.n_vocab, n_context=64)).start()
    job = bench.ask(60, tokens=100)
    bench.run()
    assert bench.steps[-1].finish == "length"
    assert job.made == 64 - 60


def test_a_shifted_context_goes_on_and_counts_what_it_dropped(vocabulary: Model) -> None:
    bench = Bench(vocabulary, NotedContext(vocabulary.n_vocab, n_context=64)).start(shift=True)
    job = bench.ask(100, tokens=100, sinks=8)
    bench.run()
    assert job.made == 100
    assert job.dropped == 100 + 99 - len(bench.context.cells[0])
    assert bench.context.cells[0][:8] == list(job.prompt[:8])


def test_forgetting_leaves_nothing_to_take_over(bench: Bench) -> None:
    prompt = list(range(1, 200))
    bench.ask(prompt, tokens=1)
    bench.run()
    assert bench.scheduler.keeps
    bench.scheduler.forget()
    assert not bench.scheduler.keeps
    again = bench.ask(prompt, tokens=1)
    bench.run()
    assert again.cached == 0

"""Continuous batching: many answers at once out of one context, one step after the other.

A step computes the next token of every answer that runs, and a piece of one prompt. Prompts go first while no answer
flows yet: what arrives together is then answered together, in full batches. Once words flow, a prompt is taken in by
pieces so small that the flow does not stall.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from gateway.engine.batch.context import Context, Interrupted
from gateway.engine.batch.job import Job
from gateway.engine.batch.model import EngineFault, Model
from gateway.engine.batch.passes import Passes, Way
from gateway.engine.batch.rows import Row, Step
from gateway.engine.batch.slots import Plan, Slots, Wish, common_prefix

Clock = Callable[[], float]

STALL_S = 0.15
"""How long the taking in of prompts may hold up answers that flow, per step."""
PATIENCE_S = 8.0
"""How long an answer's second token waits for the prompts that came with it."""
LEAST_PIECE = 32
"""Tokens of a prompt that a step takes at least: below, reading the weights costs more than computing."""
SHIFT_SHARE = 4
"""A full context drops this part of its window at once; dropping token by token would move the cells at every step."""


class Scheduler:
    """Owns the context. `step` belongs to one thread; `add` and `cancel` to any."""

    def __init__(
        self,
        model: Model,
        context: Context,
        *,
        steps: Callable[[Sequence[Step]], None],
        ended: Callable[[Job], None],
        failed: Callable[[Job, Exception], None],
        dropped: Callable[[int], None],
        shift: bool = False,
        clock: Clock = time.monotonic,
    ) -> None:
        """`steps` gets what a step says. Every job ends with one call of `ended`, `failed` or, cancelled, `dropped`."""
        self._model = model
        self._context = context
        self._tell_steps = steps
        self._tell_ended = ended
        self._tell_failed = failed
        self._tell_dropped = dropped
        self._shift = shift
        self._clock = clock
        self._slots = Slots(context.n_sequences)
        self._waiting: deque[tuple[Job, int]] = deque()
        self._rows: list[Row] = []
        self._adapter: str | None = None
        """Of the last step that streamed, where there are several."""
        self._passes = Passes()
        self._speed = 300.0
        """Prompt tokens a second, as measured."""
        self._lock = threading.Lock()
        self._inbox: list[Job] = []
        self._cancelled: set[int] = set()
        self._latest = 0
        """Number of the job that came last. Numbers only grow: what is cancelled beyond it has yet to come."""
        self._computing: frozenset[int] = frozenset()
        self._stopped = False

    # From any thread

    def add(self, job: Job) -> None:
        with self._lock:
            self._inbox.append(job)

    def cancel(self, number: int) -> None:
        """Nothing more is said of this job. A step that works for cancelled jobs alone is broken off."""
        with self._lock:
            self._cancelled.add(number)
            if self._computing and self._computing <= self._cancelled:
                self._context.abort()

    def is_cancelled(self, number: int) -> bool:
        """Of a job that has yet to come."""
        with self._lock:
            return number in self._cancelled

    def stop(self) -> None:
        with self._lock:
            self._stopped = True
            self._context.abort()

    # The computing thread

    @property
    def idle(self) -> bool:
        with self._lock:
            return not (self._inbox or self._rows or self._waiting)

    def step(self) -> None:
        """Take in what came, then compute once for those that stream and once for a prompt."""
        self._take_in()
        prompt = self._next_prompt()
        flowing = [row for row in self._rows if row.streams]
        if flowing and (prompt is None or self._flows(flowing)):
            self._stream(flowing)
        if prompt is not None:
            self._read(prompt, stall=bool(flowing) and self._flows(flowing))

    def forget(self) -> None:
        """Overwrite all that is kept of former requests. Only while idle."""
        self._context.clear()
        self._slots.forget()

    @property
    def keeps(self) -> bool:
        """Whether anything of former requests lies in the context."""
        return any(slot.held for slot in self._slots)

    def _take_in(self) -> None:
        with self._lock:
            came, self._inbox = self._inbox, []
            cancelled = set(self._cancelled)
        for job in came:
            job.arrived = self._clock()
            job.open = job.ask.n
            self._latest = job.number
            self._waiting.extend((job, choice) for choice in range(job.ask.n))
        if cancelled:
            self._drop({number for number in cancelled if number <= self._latest})

    def _drop(self, cancelled: set[int]) -> None:
        jobs = {row.job for row in self._rows} | {job for job, _ in self._waiting}
        for job in jobs:
            if job.number in cancelled:
                self._remove(job)
                self._tell_dropped(job.number)
        with self._lock:
            self._cancelled -= cancelled

    def _remove(self, job: Job) -> None:
        for row in [row for row in self._rows if row.job is job]:
            self._leave(row)
        self._waiting = deque(entry for entry in self._waiting if entry[0] is not job)
        job.close()

    # Prompts

    def _next_prompt(self) -> Row | None:
        """The prompt to work on: the one that would be done first had each begun when it came.

        So a short one passes a long one, but never one that has waited for as long as it takes.
        """
        reading = [row for row in self._rows if not row.streams]
        waiting = self._first_waiting(reading)
        if waiting is not None:
            job, choice = waiting
            if not reading or self._rank(job) < min(self._rank(row.job) for row in reading):
                started = self._start(job, choice)
                if started is not None:
                    reading.append(started)
        return min(reading, key=lambda row: (self._rank(row.job), row.choice), default=None)

    def _rank(self, job: Job) -> float:
        return job.arrived + len(job.prompt) / self._speed

    def _first_waiting(self, reading: Sequence[Row]) -> tuple[Job, int] | None:
        """The next one waiting that has a sequence to go to, and gains nothing by waiting a little longer."""
        if not self._waiting or not self._slots.free:
            return None
        ready = [entry for entry in self._waiting if not any(_would_share(entry[0], row) for row in reading)]
        return min(ready, key=lambda entry: (self._rank(entry[0]), entry[1]), default=None)

    def _start(self, job: Job, choice: int) -> Row | None:
        """Give a choice its sequence, with what is known of its prompt already in it."""
        self._waiting.remove((job, choice))
        # A seed promises the same answer again, and a prompt computed in other pieces rounds differently.
        reuse = job.ask.seed is None or choice > 0
        # A prompt that will not fit whole is shifted while it is read: nothing of it can be compared later.
        fits = len(job.prompt) < self._context.n_context
        only = job.first if job.ask.seed is not None else None
        wish = Wish(job.prompt, job.tenant, job.adapter, job.public, reuse and fits, only)
        plan = self._slots.plan(wish)
        assert plan is not None
        try:
            row = Row(self._model, job, choice, plan.slot, self._context.n_context)
        except Exception as error:  # noqa: BLE001 - one request's fault must not end the others
            self._fail(job, error)
            return None
        kept = self._carry_out(plan)
        self._slots.take(plan, wish, kept)
        row.todo = job.prompt[kept:]
        if choice == 0:
            job.cached, job.first = kept, plan.slot.number
        self._rows.append(row)
        self._rows.sort(key=lambda row: row.slot.number)
        return row

    def _carry_out(self, plan: Plan) -> int:
        if plan.source is not None:
            return self._context.copy(plan.source.number, plan.slot.number, plan.shared)
        return self._context.keep(plan.slot.number, plan.shared)

    def _read(self, row: Row, *, stall: bool) -> None:
        """Take in a piece of a prompt; choose the first token where it was the last piece."""
        size = self._context.n_batch
        if stall:
            size = min(size, max(LEAST_PIECE, int(self._speed * STALL_S)))
        if not self._room(row):
            self._fail(row.job, EngineFault("the context is full"))
            return
        piece = row.todo[: min(size, self._context.n_context - len(row.slot.held))]
        last = len(piece) == len(row.todo)
        began = self._clock()
        logits = self._decode([row], [piece], [last])
        if logits is None:
            return
        if len(piece) >= LEAST_PIECE:
            self._speed += 0.3 * (len(piece) / max(1e-6, self._clock() - began) - self._speed)
        row.todo = row.todo[len(piece) :]
        if last:
            row.began = self._clock()
            self._say([(row, logits[0])])

    # Streams

    def _flows(self, flowing: Sequence[Row]) -> bool:
        """Whether answers have begun in earnest: beyond their first token, or long since."""
        oldest = min(row.began for row in flowing)
        return any(row.made > 1 for row in flowing) or self._clock() - oldest > PATIENCE_S

    def _stream(self, flowing: Sequence[Row]) -> None:
        """One token for each; with adapters, for those that share one, in rotation."""
        adapters = sorted({row.job.adapter for row in flowing}, key=lambda name: name or "")
        if len(adapters) > 1:
            following = [name for name in adapters if (name or "") > (self._adapter or "")]
            self._adapter = (following or adapters)[0]
            flowing = [row for row in flowing if row.job.adapter == self._adapter]
        rows = [row for row in flowing if self._room(row)]
        way, began = self._passes.way(len(rows)), self._clock()
        groups = [rows] if way is Way.TOGETHER else [[row] for row in rows]
        went_well = [self._advance(group) for group in groups]
        if all(went_well):
            self._passes.took(len(rows), way, self._clock() - began)

    def _advance(self, rows: Sequence[Row]) -> bool:
        """One token for each of these, computed together; whether all went well."""
        living = [row for row in rows if not row.job.failed]
        logits = self._decode(living, [row.todo for row in living], [True] * len(living)) if living else None
        if logits is None:
            return False
        self._say(list(zip(living, logits, strict=True)))
        return True

    def _room(self, row: Row) -> bool:
        """Make room for a token; whether there is any."""
        slot = row.slot
        n_context = self._context.n_context
        if len(slot.held) < n_context:
            return True
        if not self._shift:
            return False
        keep = min(row.job.sinks, n_context // 2)
        discard = max(1, (n_context - keep) // SHIFT_SHARE)
        try:
            self._context.shift(slot.number, keep, discard)
        except EngineFault as error:
            self._fail(row.job, error)
            return False
        slot.drop(keep, discard)
        row.job.dropped += discard
        return True

    def _decode(self, rows: Sequence[Row], pieces: Sequence[Sequence[int]], wanted: Sequence[bool]) -> Any:
        """Compute; the logits of the last token of each wanted piece, or None where nothing came of it."""
        tokens: list[int] = []
        positions: list[int] = []
        sequences: list[int] = []
        outputs: list[bool] = []
        for row, piece, want in zip(rows, pieces, wanted, strict=True):
            start = len(row.slot.held)
            tokens += piece
            positions += range(start, start + len(piece))
            sequences += [row.slot.number] * len(piece)
            outputs += [False] * (len(piece) - 1)
            outputs.append(want)
        jobs = frozenset(row.job.number for row in rows)
        try:
            self._context.adapt(rows[0].job.adapter)
            if not self._begin(jobs):
                return None
            logits = self._context.decode(tokens, positions, sequences, outputs)
        except Interrupted:
            self._restore(rows)
            return None
        except (EngineFault, KeyError) as error:
            self._restore(rows)
            for row in rows:
                self._fail(row.job, error)
            return None
        finally:
            with self._lock:
                self._computing = frozenset()
        for row, piece in zip(rows, pieces, strict=True):
            row.slot.extend(piece)
        return logits

    def _begin(self, jobs: frozenset[int]) -> bool:
        with self._lock:
            if self._stopped or jobs <= self._cancelled:
                return False
            self._computing = jobs
            self._context.resume()
            return True

    def _restore(self, rows: Sequence[Row]) -> None:
        """Parts of a batch that was broken off may lie in the cells: they are none that anybody knows of."""
        for row in rows:
            row.slot.cut(self._context.keep(row.slot.number, len(row.slot.held)))

    # Words

    def _say(self, chosen: Sequence[tuple[Row, Any]]) -> None:
        said: list[Step] = []
        over: list[Job] = []
        for row, logits in chosen:
            if row.job.failed:
                continue
            last = not self._shift and len(row.slot.held) + 1 >= self._context.n_context
            try:
                steps = row.choose(logits, last=last)
            except Exception as error:  # noqa: BLE001 - one request's fault must not end the others
                self._fail(row.job, error)
                continue
            said += steps
            if steps and steps[-1].finish is not None:
                self._leave(row)
                row.job.made += row.made
                row.job.open -= 1
                if row.job.open == 0:
                    over.append(row.job)
        if said:
            self._tell_steps(said)
        for job in over:
            job.close()
            self._tell_ended(job)

    def _leave(self, row: Row) -> None:
        self._rows.remove(row)
        row.close()
        self._slots.release(row.slot)

    def _fail(self, job: Job, error: Exception) -> None:
        """End a job with all its choices."""
        if job.failed:
            return
        job.failed = True
        self._remove(job)
        self._tell_failed(job, error)

    def close(self) -> None:
        """Free what lives in C, of unfinished jobs too."""
        for job in {row.job for row in self._rows} | {job for job, _ in self._waiting}:
            self._remove(job)


def _would_share(job: Job, row: Row) -> bool:
    """Whether a prompt being read begins like this one, further than it has been read so far."""
    if row.job.tenant != job.tenant or row.job.adapter != job.adapter:
        return False
    if job.ask.seed is not None and row.job is not job:
        return False
    return common_prefix(job.prompt, row.job.prompt) - len(row.slot.held) >= LEAST_PIECE

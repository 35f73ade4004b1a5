"""Asks both models everything that the journal does not know yet, several probes at once, and survives a bad minute."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import anyio

from gateway.calibrate.journal import Answer, Journal
from gateway.calibrate.probes import Probe
from gateway.calibrate.sides import Side
from gateway.core.errors import BackendError, GatewayError, Unavailable

TRIES = 3
PAUSE_S = 1.0
LONGEST_PAUSE_S = 30.0
PATIENCE = 8
"""Probes in a row that one model may leave without an answer before it is taken to be down."""

Progress = Callable[[str, int, int], None]


@dataclass(slots=True)
class Gathered:
    """Answers by side and probe id, and how many there are none of."""

    answers: dict[str, dict[str, Answer]] = field(default_factory=dict, repr=False)
    failed: dict[str, int] = field(default_factory=dict)


async def gather(
    probes: Sequence[Probe],
    sides: Sequence[tuple[str, Side, int]],
    journal: Journal,
    progress: Progress,
    *,
    pause_s: float = PAUSE_S,
) -> Gathered:
    """`sides` are (what to call it, the side, how many at once). Raises GatewayError when one of them is down."""
    gathered = Gathered()
    total = len(probes) * len(sides)
    told = _Told(progress, total)
    try:
        async with anyio.create_task_group() as tasks:
            for name, side, at_once in sides:
                gathered.answers[name], gathered.failed[name] = {}, 0
                todo = iter(_unknown(probes, side, journal, gathered.answers[name]))
                told.done(len(gathered.answers[name]))
                asking = _Asking(name, side, journal, gathered, told, pause_s)
                for _ in range(at_once):
                    tasks.start_soon(asking.work, todo)
    except* GatewayError as errors:
        raise first(errors) from None
    return gathered


def _unknown(probes: Sequence[Probe], side: Side, journal: Journal, known: dict[str, Answer]) -> list[Probe]:
    todo = []
    for probe in probes:
        answer = journal.get(side.key, probe)
        if answer is None:
            todo.append(probe)
        else:
            known[probe.id] = answer
    return todo


class _Told:
    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._total, self._count = progress, total, 0

    def done(self, count: int = 1) -> None:
        self._count += count
        self._progress("answers", self._count, self._total)


@dataclass(slots=True)
class _Asking:
    """What the workers of one side share."""

    name: str
    side: Side
    journal: Journal
    gathered: Gathered
    told: _Told
    pause_s: float
    in_a_row: int = 0

    async def work(self, todo: Iterator[Probe]) -> None:
        """`todo` is shared: whoever is free takes the next one."""
        for probe in todo:
            try:
                answer = await self._tried(probe)
            except GatewayError:
                self.gathered.failed[self.name] += 1
                self.in_a_row += 1
                if self.in_a_row >= PATIENCE:
                    raise
            else:
                self.in_a_row = 0
                self.journal.add(self.side.key, probe, answer)
                self.gathered.answers[self.name][probe.id] = answer
            self.told.done()

    async def _tried(self, probe: Probe) -> Answer:
        """What may pass is tried again after a while, longer each time, or as long as the other end says."""
        for attempt in range(1, TRIES):
            try:
                return await self.side.ask(probe)
            except (BackendError, Unavailable) as error:
                wait = error.retry_after_s if error.retry_after_s is not None else self.pause_s * 2**attempt
                await anyio.sleep(min(wait, LONGEST_PAUSE_S, self.pause_s * 30))
        return await self.side.ask(probe)


def first(errors: BaseExceptionGroup[GatewayError]) -> GatewayError:
    """Of a group of errors, the one to tell."""
    error: BaseException = errors
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    assert isinstance(error, GatewayError)
    return error

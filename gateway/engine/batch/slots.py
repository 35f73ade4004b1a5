"""Which sequence of the context a prompt goes to, and whose beginning it may take over instead of computing it.

Two wishes pull apart. Rows of neighbouring sequences are computed in one go, others in several, so new work should
stand beside running work; and a prompt that begins like a former one should go where that lies, or have it copied.

A tenant must not learn from the time to the first token what another one asked: between tenants only the operator's
own system prompt is shared.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

MIN_COPY = 32
"""A copy between sequences moves all their cells: for fewer tokens than this, computing them is as fast."""


def common_prefix(one: Sequence[int], other: Sequence[int]) -> int:
    """How many tokens two lists begin with alike. Slices compare in C: some 20 µs where a loop takes a millisecond."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


@dataclass(slots=True)
class Slot:
    """One sequence: what its cells hold, and for whom."""

    number: int
    held: list[int] = field(default_factory=list)
    """Tokens in the cells, in order; kept after an answer for the next turn of its conversation."""
    valid: int = 0
    """How many of them still stand where they were computed: all, or the sinks alone once the context shifted."""
    tenant: str = ""
    adapter: str | None = None
    busy: bool = False
    used: int = 0
    """Larger = used later."""

    def extend(self, tokens: Sequence[int]) -> None:
        if self.valid == len(self.held):
            self.valid += len(tokens)
        self.held.extend(tokens)

    def drop(self, keep: int, discard: int) -> None:
        """The context shifted: `discard` tokens after the first `keep` are gone."""
        del self.held[keep : keep + discard]
        self.valid = min(self.valid, keep)

    def cut(self, count: int) -> None:
        """Only the first `count` tokens are held any more."""
        del self.held[count:]
        self.valid = min(self.valid, count)


@dataclass(frozen=True, slots=True)
class Wish:
    """A prompt that needs a sequence."""

    prompt: Sequence[int]
    tenant: str
    adapter: str | None = None
    public: int = 0
    """So many tokens at its beginning are the operator's own text, the same for all tenants."""
    reuse: bool = True
    only: int | None = None
    """Where this is set, nothing is taken over but from the sequence of this number."""


@dataclass(frozen=True, slots=True)
class Plan:
    slot: Slot
    shared: int
    """Tokens that need not be computed."""
    source: Slot | None = None
    """Where they lie, if not in `slot` itself."""


class Slots:
    def __init__(self, count: int) -> None:
        self._slots = [Slot(number) for number in range(count)]
        self._clock = itertools.count(1)

    def __iter__(self) -> Iterator[Slot]:
        return iter(self._slots)

    @property
    def free(self) -> int:
        return sum(not slot.busy for slot in self._slots)

    def plan(self, wish: Wish) -> Plan | None:
        """The best free sequence for a prompt; None while all are busy. Nothing is changed."""
        free = [slot for slot in self._slots if not slot.busy]
        if not free:
            return None
        shared = {slot.number: _shared(slot, wish) for slot in self._slots}
        source = max(self._slots, key=lambda slot: shared[slot.number])
        most = shared[source.number]

        def stays(slot: Slot) -> bool:
            """Whether the prompt may go on in place: most of what lies there is kept, and nobody has much more."""
            own = shared[slot.number]
            return own > 0 and 2 * own >= len(slot.held) and most - own < MIN_COPY

        busy = {slot.number for slot in self._slots if slot.busy}
        best = min(
            free,
            key=lambda slot: (_runs(busy | {slot.number}), not stays(slot), bool(slot.held), slot.used, slot.number),
        )
        own = shared[best.number]
        if most - own >= MIN_COPY:
            return Plan(best, most, source)
        return Plan(best, own)

    def take(self, plan: Plan, wish: Wish, kept: int) -> None:
        """The plan was carried out and `kept` tokens of the prompt are in the slot's cells."""
        slot = plan.slot
        slot.held = list(wish.prompt[:kept])
        slot.valid = kept
        slot.tenant, slot.adapter, slot.busy = wish.tenant, wish.adapter, True

    def release(self, slot: Slot) -> None:
        slot.busy = False
        slot.used = next(self._clock)

    def forget(self) -> None:
        """The cells were cleared."""
        for slot in self._slots:
            slot.cut(0)
            slot.tenant, slot.used = "", 0


def _shared(slot: Slot, wish: Wish) -> int:
    if not wish.reuse or wish.only not in (None, slot.number) or slot.adapter != wish.adapter or not slot.valid:
        return 0
    # The last token is always computed: its logits are what the answer starts from.
    most = min(slot.valid, len(wish.prompt) - 1)
    if slot.tenant != wish.tenant:
        most = min(most, wish.public)
    return min(most, common_prefix(slot.held, wish.prompt))


def _runs(numbers: Collection[int]) -> int:
    """How many stretches of consecutive numbers: so many times the weights are read for one step."""
    return sum(number - 1 not in numbers for number in numbers)

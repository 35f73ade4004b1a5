"""What came of it: one cell for each kind of value in each place, and the verdict over all."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum

from gateway.core.types import Json


class State(IntEnum):
    """What happened to a planted value, the best first: a cell of the table shows the worst that happened in it."""

    SHUT = 0
    """Nothing leaves from there, harmless or not: this says nothing about the value."""
    HOME = 1
    """The request was answered or refused on this host."""
    UNSENT = 2
    """The request left, without the field that held the value."""
    REPLACED = 3
    """The request left with something else in the value's place."""
    PERMITTED = 4
    """It left in clear, and would have left had every detector known it: the policy lets it out."""
    FAILED = 5
    """The gateway failed over it; nothing left."""
    LEFT = 6
    """It left in clear, and nobody permitted that."""

    @property
    def word(self) -> str:
        return ("shut", "home", "unsent", "replaced", "permitted", "failed", "left")[self]


@dataclass(frozen=True, slots=True)
class Cell:
    """One request. It names kinds and places and holds no value."""

    kind: str
    short: str
    place: str
    state: State
    way: str
    """How it was asked: `auto`, or a backend's name."""
    who: str
    streamed: bool
    rule: str = ""
    transform: str = ""
    restored: bool | None = None
    """Whether the answer held the value again, in its text and in its tool call; None = nothing was to be restored."""


@dataclass(frozen=True, slots=True)
class Result:
    policy: str
    digest: str
    backends: tuple[str, ...]
    ways: tuple[str, ...]
    """The ways by which a harmless request left."""
    cells: tuple[Cell, ...]
    derived: State
    """What became of the answer to a private request, sent back with a harmless question."""
    notes: tuple[str, ...]
    seed: int
    """What makes the same values again."""
    seconds: float

    @property
    def ok(self) -> bool:
        return not self.wrong and self.derived < State.FAILED

    @property
    def wrong(self) -> Sequence[Cell]:
        return [cell for cell in self.cells if cell.state >= State.FAILED]

    @property
    def counts(self) -> Counter[State]:
        return Counter(cell.state for cell in self.cells)

    @property
    def restored(self) -> tuple[int, int]:
        """(put back, replaced by what should have been put back)."""
        told = [cell.restored for cell in self.cells if cell.restored is not None]
        return sum(told), len(told)

    def worst(self) -> dict[tuple[str, str], State]:
        """(place, short name of the kind) → state."""
        told: dict[tuple[str, str], State] = {}
        for cell in self.cells:
            at = (cell.place, cell.short)
            told[at] = max(cell.state, told.get(at, State.SHUT))
        return told

    def to_json(self) -> dict[str, Json]:
        back, replaced = self.restored
        return {
            "ok": self.ok,
            "policy": {"name": self.policy, "digest": self.digest},
            "backends": list(self.backends),
            "ways": list(self.ways),
            "planted": len(self.cells),
            "counts": {state.word: self.counts[state] for state in State},
            "restored": {"put_back": back, "of": replaced},
            "derived": self.derived.word,
            "cells": [_cell(cell) for cell in self.cells],
            "notes": list(self.notes),
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
        }


def _cell(cell: Cell) -> dict[str, Json]:
    told = {name: getattr(cell, name) for name in ("kind", "place", "way", "who", "streamed", "rule", "transform")}
    return {**told, "state": cell.state.word, "restored": cell.restored}


def grouped(cells: Sequence[Cell]) -> Iterator[tuple[str, list[str]]]:
    """Kind → the places, each once, in the order in which they come."""
    kinds: dict[str, dict[str, None]] = {}
    for cell in cells:
        kinds.setdefault(cell.kind, {})[cell.place] = None
    for kind, where in kinds.items():
        yield kind, list(where)

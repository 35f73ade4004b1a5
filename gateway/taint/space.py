"""What is remembered for one subject of one tenant, and where a text repeats it.

All fingerprints of all entries stand in one sorted row, with the entry's number beside each. In front of it is a table
of flags that nearly every fingerprint of a text with nothing remembered in it fails; what passes is looked up. Numbers
of entries that are gone stay in the row until a quarter of it is theirs.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from gateway.taint.entry import Entry
from gateway.taint.prints import ROW, Prints

_ENTRY_BYTES = 700
"""What Python keeps beside the fingerprints: the entry, its origin, its places in the tables (measured, rounded up)."""
_PRINT_BYTES = 8 + 12 + 16
"""Of one fingerprint: eight bytes in its entry, eight and its entry's number in the row, and some flags."""
_SPACE_BYTES = 2800
"""An owner's tables, empty."""
_MOST_PAIRS = 1 << 16
"""Pairs of place and entry that are looked at one by one."""


class Space:
    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, Entry] = OrderedDict()
        """In the order in which they expire: the life of all is equally long."""
        self._numbers: dict[bytes, int] = {}
        self._ids: dict[int, bytes] = {}
        self._next = 0
        self._prints: Prints = np.empty(0, np.uint64)
        self._owners: NDArray[np.int32] = np.empty(0, np.int32)
        self._dead = 0
        self._flags: NDArray[np.bool_] = np.zeros(1024, np.bool_)
        self._shift = np.uint64(64 - 10)
        self._whole: Counter[int] = Counter()
        """Lengths of the texts that only the whole of them shows."""
        self.cursor = b"-"
        """How far a shared store has been read."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, entry_id: bytes) -> Entry | None:
        return self._entries.get(entry_id)

    @property
    def size_bytes(self) -> int:
        return _SPACE_BYTES + _ENTRY_BYTES * len(self._entries) + _PRINT_BYTES * len(self._prints)

    def is_whole_length(self, letters: int) -> bool:
        """Whether a text of so many letters may be one that only the whole of it shows."""
        return letters in self._whole

    # -- change --------------------------------------------------------------------------------------------------

    def add(self, entries: Iterable[Entry]) -> None:
        """Remember, or join with what is remembered under the same id; the last one added expires last."""
        fresh: list[Entry] = []
        for entry in entries:
            known = self._entries.get(entry.id)
            self._entries[entry.id] = entry if known is None else known.joined(entry)
            self._entries.move_to_end(entry.id)
            if known is None:
                self._numbers[entry.id] = self._next
                self._ids[self._next] = entry.id
                self._next += 1
                if entry.letters and not entry.needed:
                    self._whole[entry.letters] += 1
                elif entry.needed:
                    fresh.append(entry)
        if fresh:
            self._insert(fresh)

    def expire(self, now: float) -> None:
        while self._entries and next(iter(self._entries.values())).expires_at <= now:
            self._forget(next(iter(self._entries)))
        self._tidy()

    def drop(self, at_most_bytes: int) -> int:
        """Forget the oldest until no more than so many bytes are left; how many were forgotten."""
        before, left = len(self._entries), self.size_bytes
        while self._entries and left > at_most_bytes:
            oldest = next(iter(self._entries))
            left -= _ENTRY_BYTES + _PRINT_BYTES * len(self._entries[oldest].prints)
            self._forget(oldest)
        if before != len(self._entries):
            self._tidy(always=True)
        return before - len(self._entries)

    def _insert(self, entries: Sequence[Entry]) -> None:
        prints = np.concatenate([entry.prints for entry in entries])
        owners = np.repeat(
            np.array([self._numbers[entry.id] for entry in entries], np.int32), [len(entry.prints) for entry in entries]
        )
        order = np.argsort(prints, kind="stable")
        prints, owners = prints[order], owners[order]
        places = np.searchsorted(self._prints, prints)
        self._prints = np.insert(self._prints, places, prints)
        self._owners = np.insert(self._owners, places, owners)
        if 4 * len(self._prints) > len(self._flags):
            self._flag_all()
        else:
            self._flags[prints >> self._shift] = True

    def _forget(self, entry_id: bytes) -> None:
        entry = self._entries.pop(entry_id)
        del self._ids[self._numbers.pop(entry_id)]
        if entry.needed:
            self._dead += len(entry.prints)
        elif entry.letters:
            self._whole -= Counter([entry.letters])

    def _tidy(self, *, always: bool = False) -> None:
        """Take what is dead out of the row, once that is worth it."""
        if not self._dead or (4 * self._dead < len(self._prints) and not always):
            return
        live = np.isin(self._owners, np.fromiter(self._ids, np.int32, len(self._ids)))
        self._prints, self._owners, self._dead = self._prints[live], self._owners[live], 0
        self._flag_all()

    def _flag_all(self) -> None:
        bits = max(10, (len(self._prints) * 8 - 1).bit_length())
        flags = np.zeros(1 << bits, np.bool_)
        self._shift = np.uint64(64 - bits)
        flags[self._prints >> self._shift] = True
        self._flags = flags

    # -- recognise -----------------------------------------------------------------------------------------------

    def copies(self, prints: Prints) -> list[tuple[Entry, int]]:
        """The entries that a text repeats, with the position of the first row of each, first positions first.

        `prints` are those of every row of the text, in order. An entry is repeated where as many different
        fingerprints as it needs follow each other with no row between them left out.
        """
        if not len(self._prints) or not len(prints):
            return []
        positions = np.flatnonzero(self._flags[prints >> self._shift])
        positions = positions[
            np.argsort(prints[positions])
        ]  # in the row's order, searching it is a walk in one direction
        values = prints[positions]
        left = np.searchsorted(self._prints, values)
        there = self._prints[np.minimum(left, len(self._prints) - 1)] == values
        if not there.any():
            return []
        positions, values, left = positions[there], values[there], left[there]
        counts = np.searchsorted(self._prints, values, side="right") - left
        if int(counts.sum()) > _MOST_PAIRS:
            return self._all_of(positions, left, counts)
        ends = np.cumsum(counts)
        within = np.arange(ends[-1]) - np.repeat(ends - counts, counts)
        owners = self._owners[np.repeat(left, counts) + within]
        return self._runs(owners, np.repeat(positions, counts), np.repeat(values, counts))

    def _runs(self, owners: NDArray[np.int32], positions: NDArray[np.int64], values: Prints) -> list[tuple[Entry, int]]:
        order = np.lexsort((positions, owners))
        owners, positions, values = owners[order], positions[order], values[order]
        begins = np.ones(len(owners), np.bool_)
        begins[1:] = (owners[1:] != owners[:-1]) | (positions[1:] - positions[:-1] > ROW)
        runs = np.cumsum(begins) - 1
        # How many different fingerprints each run has.
        order = np.lexsort((values, runs))
        different = np.ones(len(order), np.bool_)
        different[1:] = (values[order][1:] != values[order][:-1]) | (runs[order][1:] != runs[order][:-1])
        sizes = np.bincount(runs[order][different])
        found: dict[bytes, tuple[Entry, int]] = {}
        for run, first in enumerate(np.flatnonzero(begins)):
            entry = self._live(int(owners[first]))
            if entry is not None and entry.id not in found and sizes[run] >= entry.needed:
                found[entry.id] = (entry, int(positions[first]))
        return sorted(found.values(), key=lambda one: one[1])

    def _all_of(
        self, positions: NDArray[np.int64], left: NDArray[np.int64], counts: NDArray[np.int64]
    ) -> list[tuple[Entry, int]]:
        """Every entry that shares a fingerprint: what repeats so much of so many need not be looked at any closer."""
        marks = np.zeros(len(self._owners) + 1, np.int64)
        np.add.at(marks, left, 1)
        np.add.at(marks, left + counts, -1)
        owners = np.unique(self._owners[np.cumsum(marks[:-1]) > 0])
        first = int(positions.min())
        return [(entry, first) for number in owners if (entry := self._live(int(number))) is not None]

    def _live(self, number: int) -> Entry | None:
        entry_id = self._ids.get(number)
        return None if entry_id is None else self._entries[entry_id]

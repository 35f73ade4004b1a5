"""Which probes to ask: of every task family and language alike, or as the operator's own traffic weighs them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from gateway.calibrate.probes import Probe
from gateway.core.types import Json

LEAST = 2
"""Probes of each family and language that are asked however rare it is in the traffic."""

Weights = Mapping[tuple[str, str], float]
"""(family, language) → how much of the traffic it is."""


def choose(probes: Sequence[Probe], count: int, weights: Weights | None = None, *, seed: int = 0) -> tuple[Probe, ...]:
    """`count` of the probes, the same ones for the same seed."""
    if count >= len(probes):
        return tuple(probes)
    cells: dict[tuple[str, str], list[Probe]] = {}
    for probe in probes:
        cells.setdefault((probe.family, probe.lang), []).append(probe)
    turns = {cell: _turns(mine, f"{seed} {cell}") for cell, mine in sorted(cells.items())}
    shares = _shares({cell: len(mine) for cell, mine in turns.items()}, count, weights)
    taken = {probe.id for cell, mine in turns.items() for probe in mine[: shares[cell]]}
    return tuple(probe for probe in probes if probe.id in taken)


def weights_of(records: Iterable[Mapping[str, Json]]) -> dict[tuple[str, str], float]:
    """What an audit log says was asked. It holds no text, so it can weigh probes and not replace them."""
    counted: dict[tuple[str, str], float] = {}
    for record in records:
        family, language = record.get("family"), record.get("language")
        if isinstance(family, str) and isinstance(language, str):
            counted[family, language] = counted.get((family, language), 0.0) + 1.0
    return counted


def _turns(probes: Sequence[Probe], seed: str) -> list[Probe]:
    """In an order of which every beginning holds all levels alike."""
    shuffled = random.Random(seed).sample(probes, len(probes))  # noqa: S311 - a choice, not a secret
    place = Counter[str]()
    turns = []
    for probe in shuffled:
        turns.append((place[probe.level], probe))
        place[probe.level] += 1
    return [probe for _, probe in sorted(turns, key=lambda turn: turn[0])]


def _shares(sizes: Mapping[tuple[str, str], int], count: int, weights: Weights | None) -> dict[tuple[str, str], int]:
    """How many of each cell: one by one to whoever lacks most of its share and has some left."""
    wanted = {cell: (weights or {}).get(cell, 0.0) if weights else 1.0 for cell in sizes}
    whole = sum(wanted.values()) or 1.0
    shares = {cell: min(LEAST, size) for cell, size in sizes.items()}
    while sum(shares.values()) > count:  # more cells than probes: the heaviest keep one
        cell = min((cell for cell in shares if shares[cell]), key=lambda cell: (wanted[cell], -shares[cell], cell))
        shares[cell] -= 1
    while sum(shares.values()) < count:
        open_ = [cell for cell in sizes if shares[cell] < sizes[cell]]
        cell = max(open_, key=lambda cell: (count * wanted[cell] / whole - shares[cell], -shares[cell], cell))
        shares[cell] += 1
    return shares

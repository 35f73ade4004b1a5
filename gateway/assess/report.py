"""Counts verdicts on samples into groups, each with its bound, and lays them out: as JSON without text, as a table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from gateway.assess.bounds import CONFIDENCE, at_most
from gateway.core.share import wilson

Way = Literal["stays", "changed", "leaves"]
"""How far some way of asking would get a request: not out, out after a transform, out as it is."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What would become of one sample. Holds no text."""

    line: int
    private: bool
    way: Way
    hard: bool = False
    """A clean one that would go out by its own complexity if nothing were found in it."""
    category: str | None = None
    lang: str | None = None
    late: bool = False
    """The detectors did not read it in time, and that alone keeps it."""


@dataclass(slots=True)
class Group:
    """The samples of one language, of one category, of both, or all of them."""

    lang: str | None = None
    category: str | None = None
    private: int = 0
    let_out: int = 0
    changed: int = 0
    clean: int = 0
    hard: int = 0
    still: int = 0

    def add(self, verdict: Verdict) -> None:
        if verdict.private:
            self.private += 1
            self.let_out += verdict.way == "leaves"
            self.changed += verdict.way == "changed"
        else:
            self.clean += 1
            self.hard += verdict.hard
            self.still += verdict.hard and verdict.way != "stays"

    @property
    def name(self) -> str:
        return " ".join(part for part in (self.lang, self.category) if part) or "all"

    def as_json(self) -> dict[str, Any]:
        low, high = wilson(self.still, self.hard)
        return {
            "lang": self.lang,
            "category": self.category,
            "private": {
                "of": self.private,
                "let_out": self.let_out,
                "at_most": round(at_most(self.let_out, self.private), 6),
                "leaves_changed": self.changed,
            },
            "clean": {
                "of": self.clean,
                "hard": self.hard,
                "still_leave": self.still,
                "low": round(low, 6),
                "high": round(high, 6),
            },
        }


@dataclass(frozen=True, slots=True)
class Report:
    facts: Mapping[str, Any]
    """When, under which policy, with which detectors and scorer."""
    groups: tuple[Group, ...]
    let_out: tuple[int, ...]
    """Lines of private samples that would be let out as they are."""
    held: tuple[int, ...]
    """Lines of clean and hard samples that stay."""
    late: int = 0
    repeated: int = 0
    schema: int = field(default=1, init=False)

    def as_json(self) -> dict[str, Any]:
        return {
            "schema": self.schema,
            **self.facts,
            "confidence": CONFIDENCE,
            "repeated": self.repeated,
            "not_read_in_time": self.late,
            "lines_let_out": list(self.let_out),
            "lines_held": list(self.held),
            "groups": [group.as_json() for group in self.groups],
        }


def report(verdicts: Sequence[Verdict], facts: Mapping[str, Any], repeated: int = 0) -> Report:
    return Report(
        facts,
        tuple(grouped(verdicts)),
        tuple(verdict.line for verdict in verdicts if verdict.private and verdict.way == "leaves"),
        tuple(verdict.line for verdict in verdicts if verdict.hard and verdict.way == "stays"),
        late=sum(verdict.late for verdict in verdicts),
        repeated=repeated,
    )


def grouped(verdicts: Iterable[Verdict]) -> list[Group]:
    """All, then each language, each category and each pair that there is."""
    groups: dict[tuple[str | None, str | None], Group] = {(None, None): Group()}
    for verdict in verdicts:
        for key in dict.fromkeys(
            [(None, None), (verdict.lang, None), (None, verdict.category), (verdict.lang, verdict.category)]
        ):
            groups.setdefault(key, Group(*key)).add(verdict)
    return sorted(groups.values(), key=_order)


def _order(group: Group) -> tuple[int, str, str]:
    return (group.lang is not None) + 2 * (group.category is not None), group.lang or "", group.category or ""


_HEAD = ("", "private", "let out", "at most", "changed", "clean", "hard", "still leave")
_SHOWN = 20
"""Line numbers that the table names; the JSON has all."""


def table(told: Report) -> list[str]:
    """The report as a person reads it on a terminal."""
    cells = [list(_HEAD), *map(_cells, told.groups)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(_HEAD))]
    lines = ["  ".join([row[0].ljust(widths[0]), *map(str.rjust, row[1:], widths[1:])]).rstrip() for row in cells]
    lines += ["", f"at most: with {CONFIDENCE * 100:.0f} % confidence, for samples drawn by lot; each line by itself"]
    if told.let_out:
        lines.append(f"let out though private: {_listed(told.let_out)}")
    if told.held:
        lines.append(f"clean and hard, and stays: {_listed(told.held)}")
    if told.late:
        lines.append(f"{told.late} not read in time: that alone kept them, so the bound flatters the detectors")
    if told.repeated:
        lines.append(f"{told.repeated} repeated and counted once")
    return lines


def _cells(group: Group) -> list[str]:
    bound = _percent(at_most(group.let_out, group.private)) if group.private else "–"
    still = "–"
    if group.hard:
        low, high = wilson(group.still, group.hard)
        still = f"{group.still / group.hard:.0%} ({low:.0%}–{high:.0%})".replace("%", " %")
    counts = [str(count) for count in (group.private, group.let_out)]
    return [group.name, *counts, bound, str(group.changed), str(group.clean), str(group.hard), still]


def _percent(share: float) -> str:
    """Rounded up: a bound that is rounded down is none."""
    digits = 1 if share < 0.1 else 0
    step = 10 ** (digits + 2)
    return f"{-(-share * step // 1) / 10**digits:.{digits}f} %"


def _listed(lines: Sequence[int]) -> str:
    shown = ", ".join(map(str, lines[:_SHOWN]))
    return f"line {shown}" if len(lines) == 1 else f"lines {shown}" + (" …" if len(lines) > _SHOWN else "")

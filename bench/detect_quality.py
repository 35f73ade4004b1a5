"""Counts what a detector said: recall by language and category, false alarms by source, spans, and what was missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from bench.detect_found import Found, Share, Shares, count_spans, covered, hard_spans
from bench.detect_rows import CHECKED, HARD_LABELS, LANGUAGES, Row, is_maths

Said = Mapping[str, tuple[Sequence[Row], Sequence[Found]]]
"""Set → its rows and what was said about each."""
_OF_FIVE = frozenset({"native", "synth_ml"})
"""Sets whose clean rows are hard ones, in five languages."""


def requests(said: Said) -> dict[str, Any]:
    """Per set: private requests found and kept, clean ones found and kept."""
    table: dict[str, Any] = {}
    for name, (rows, found) in said.items():
        shares = Shares()
        for row, what in zip(rows, found, strict=True):
            if row.sensitive is None:
                continue
            side = "private" if row.sensitive else "clean"
            shares.add(f"{side} found", what.found)
            if what.kept is not None and row.kept is not False:
                shares.add(f"{side} kept", what.kept)
            if what.kept is not None and row.kept is False:
                # Clean, or private in a way that may leave: what must not be kept needlessly.
                shares.add("needlessly kept" if row.sensitive else f"{side} kept", what.kept)
        table[name] = {"rows": len(rows), **shares.as_json()}
    return table


def by_language_and_category(rows: Sequence[Row], found: Sequence[Found]) -> dict[str, Any]:
    """Private rows only: `found`, and `kept` among those that should be."""
    reached, kept = Shares(), Shares()
    for row, what in zip(rows, found, strict=True):
        if not row.sensitive:
            continue
        for name in (f"{row.lang}|{row.category}", f"{row.lang}|all", f"all|{row.category}", "all|all"):
            reached.add(name, what.found)
            if row.kept is not False and what.kept is not None:
                kept.add(name, what.kept)
    return {"found": reached.as_json(), "kept": kept.as_json()}


def false_alarms(rows: Sequence[Row], found: Sequence[Found]) -> dict[str, Any]:
    """Per source and language, and the two sums that the aims are about; with the kinds that raised the alarms."""
    reached, kept = Shares(), Shares()
    kinds: Counter[str] = Counter()
    for row, what in zip(rows, found, strict=True):
        if row.sensitive is not False:
            continue
        if row.set == "clean_prompts":
            names = [f"{row.source} {row.lang}", f"{row.set}|{'maths' if is_maths(row) else 'others'}"]
        else:
            names = [f"{row.source} {row.lang}"] if row.set in _OF_FIVE else []
        for name in (*names, row.set):
            reached.add(name, what.found)
            kept.add(name, bool(what.kept))
        if row.set != "gitleaks_tests":
            kinds.update(what.kinds)
    return {"found": reached.as_json(), "kept": kept.as_json(), "kinds": dict(kinds.most_common(12))}


def positive_test(said: Said) -> dict[str, Any]:
    """Per set and in all: private requests that the test for PUBLIC lets pass, and clean ones that it knows as such."""
    wrong, right = Shares(), Shares()
    for name, (rows, found) in said.items():
        for row, what in zip(rows, found, strict=True):
            if row.sensitive is None or what.generic is None:
                continue
            for key in (name, "all"):
                (wrong if row.sensitive else right).add(key, what.generic)
    return {"private_let_pass": wrong.as_json(), "clean_recognised": right.as_json()}


def checked(said: Said) -> dict[str, Any]:
    """Identifiers with a checksum in the two sets of our own, by language."""
    shares = Shares()
    for name in ("native", "synth_ml"):
        rows, found = said.get(name, ((), ()))
        for row, what in zip(rows, found, strict=True):
            for span in hard_spans(row):
                if span.label in CHECKED and row.lang in LANGUAGES:
                    hit = covered(span, what.values) >= 0.5
                    shares.add(f"{name} {row.lang}", hit)
                    shares.add("all", hit)
    return shares.as_json()


def spans(said: Said) -> dict[str, Any]:
    """Per set, and per kind of value in the sets of our own."""
    table: dict[str, Any] = {
        name: count_spans(rows, found, lambda row, span: "all") for name, (rows, found) in said.items()
    }
    return {name: counted["all"] for name, counted in table.items() if counted}


def spans_by_kind(said: Said, names: Sequence[str]) -> dict[str, Any]:
    rows = [row for name in names for row in said.get(name, ((), ()))[0]]
    found = [what for name in names for what in said.get(name, ((), ()))[1]]
    return count_spans(rows, found, lambda row, span: f"{row.lang}|{HARD_LABELS[span.label]}")


def missed(said: Said, names: Sequence[str]) -> dict[str, Any]:
    """By set: requests in which nothing was found by category, and values not found by kind."""
    table: dict[str, Any] = {}
    for name in names:
        rows, found = said.get(name, ((), ()))
        requests_: Counter[str] = Counter()
        values: Counter[str] = Counter()
        weak = Share()
        for row, what in zip(rows, found, strict=True):
            if row.sensitive and not what.found:
                requests_[row.category] += 1
            if row.sensitive and row.kept is not False:
                weak.add(what.names_only)
            for span in hard_spans(row):
                if covered(span, what.values) < 0.5:
                    values[HARD_LABELS[span.label]] += 1
        if rows:
            table[name] = {
                "requests": dict(requests_.most_common(8)),
                "values": dict(values.most_common(8)),
                "names_only": weak.as_json(),
            }
    return table

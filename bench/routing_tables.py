"""The figures of a run as the tables that docs/routing.md shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.report import lines
from bench.routing_routers import FAST, SLOW
from bench.routing_shift import AGREEMENT, WITHIN, within

Suite = Mapping[str, Any]
_EMPTY = "–"
_SHORT = ("MMLU", "GSM8K", "MT-Bench")
"""Sets whose transfer is shown row by row; the others share one table."""


def tables(found: Mapping[str, Any]) -> str:
    head = found["machine"]
    parts = [
        f"{head['cpu']}, Python {head['python']}; commit `{found['commit']}`; {found['sets']} "
        f"{found['draws']:,} bootstrap draws; in brackets 95 %.",
        *(f"Without {name}: {reason}." for name, reason in found["missing"].items()),
        _part("Aims", "", _aims(found["aims"])),
        *(_part(name, _told(suite), _suite(suite)) for name, suite in found["in_domain"].items() if _whole(name)),
        _part("Small sets, learnt in-domain", "APGR. M-IFEval es and fr: learnt from its English questions.",
              _compact({n: s for n, s in found["in_domain"].items() if not _whole(n)})),
        *(_part(name, _told(suite), _suite(suite)) for name, suite in found["left_out"].items()),
        *(_part(f"{name}, nothing learnt from it", _told(suite), _suite(suite))
          for name, suite in found["transfer"].items() if name in _SHORT),
        _part("Learnt on one benchmark, asked about another", "APGR of both ensembles: fast · with encoder.",
              _matrix(found["transfer"])),
        _part("One threshold, other traffic", "Share at or above a threshold that was set once, in percent.",
              _realised(found["realised"])),
        _part("The same by task family", "All sets together; families with fewer than 50 questions are left out.",
              _families(found["realised"])),
        _part("The same question in four languages", "250 parallel questions (MGSM): share above the training median · "
              "share above the median of the English ones · Spearman with the English scores. "
              f"`as asked`: within {WITHIN:.0f} points of English and {AGREEMENT} or more.",
              _languages(found["languages"])),
        _part("Time per request", "Milliseconds on one core, p50 / p99: processor time, then wall time. The "
              "quietest of three rounds.", _speed(found["speed"])),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def _part(title: str, text: str, table: str) -> str:
    return "\n\n".join(part for part in (f"### {title}", text, table) if part) if table else ""


def _whole(name: str) -> bool:
    return name.startswith(("MMLU", "GSM8K", "LLMRouter"))


def _told(suite: Suite) -> str:
    seeds = ", ".join(map(str, suite["seeds"]))
    return (
        f"{suite['questions']:,} questions; weak {suite['weak']:.1%}, strong {suite['strong']:.1%}, which repairs "
        f"{suite['strong_fixes']:.1%} and breaks {suite['strong_breaks']:.1%}; seed {seeds}."
    ).replace("%", " %")


def _suite(suite: Suite) -> str:
    head = ["router", "learnt from", "APGR", "over length", "CPT50", "CPT80", "CPT95", "exact"]
    rows = [
        [row["router"], row["trained"], apgr(row), _over(row), *(f"{row[c]:.1f}" for c in ("cpt50", "cpt80", "cpt95")),
         f"{row['exact']:.3f}"]
        for row in suite["rows"]
    ]  # fmt: skip
    return lines(head, rows)


def apgr(row: Mapping[str, Any]) -> str:
    return f"{row['apgr']:.3f} ({row['low']:.2f}–{row['high']:.2f})"


def _over(row: Mapping[str, Any]) -> str:
    if row["router"] in ("prompt length", "oracle"):
        return _EMPTY
    return f"{row['over_length']:+.3f} ({row['over_length_low']:+.2f}–{row['over_length_high']:+.2f})".replace("-", "−")


def _compact(suites: Mapping[str, Suite]) -> str:
    if not suites:
        return ""
    names = ["random", "prompt length", "lexical formula", FAST, SLOW, "oracle"]
    rows = []
    for name, suite in suites.items():
        row = {one["router"]: one for one in suite["rows"]}
        cells = [apgr(row[one]) if one in (FAST, SLOW) else f"{row[one]['apgr']:.3f}" if one in row else _EMPTY
                 for one in names if one in row or one in (FAST, SLOW)]  # fmt: skip
        rows.append([name, f"{suite['questions']:,}", f"{suite['weak']:.0%} → {suite['strong']:.0%}", *cells])
    return lines(["set", "questions", "weak → strong", *names], rows)


def _matrix(transfer: Mapping[str, Suite]) -> str:
    """A row per set that was learnt from, a column per set that is asked about."""
    cells: dict[str, dict[str, dict[str, float]]] = {}
    for test, suite in transfer.items():
        for row in suite["rows"]:
            if row["router"] in ("random", "prompt length", "lexical formula"):
                cells.setdefault(row["router"], {}).setdefault(test, {})[FAST] = row["apgr"]
            elif row["router"] in (FAST, SLOW):
                teacher = row["trained"].partition(" (")[0].partition(" without")[0]
                cells.setdefault(teacher, {}).setdefault(test, {})[row["router"]] = row["apgr"]
    rows = [
        [teacher, *(" · ".join(f"{one:.3f}" for one in tests.get(test, {}).values()) or _EMPTY for test in transfer)]
        for teacher, tests in cells.items()
    ]
    return lines(["learnt from", *transfer], rows) if rows else ""


def _realised(realised: Mapping[str, Any]) -> str:
    if not realised:
        return ""
    sets = list(next(iter(realised.values()))["sets"])
    rows = [[name, *(f"{found['sets'][one] * 100:.0f}" for one in sets)] for name, found in realised.items()]
    return lines(["threshold", *sets], rows)


def _families(realised: Mapping[str, Any]) -> str:
    if not realised:
        return ""
    first = next(iter(realised.values()))["families"]
    names = [name for name, row in first.items() if row["of"] >= 50]
    rows = [[name, *(f"{found['families'][one]['share'] * 100:.0f}" for one in names)]
            for name, found in realised.items()]  # fmt: skip
    return lines(["threshold", *(f"{name} ({first[name]['of']:,})" for name in names)], rows)


def _languages(languages: Mapping[str, Any]) -> str:
    if not languages:
        return ""
    codes = list(next(iter(languages.values())))
    rows = []
    for name, found in languages.items():
        cells = [
            " · ".join(f"{row[f'above_{one}_median'] * 100:.0f}" for one in ("training", "english"))
            + f" · {row['spearman']:.2f}"
            for row in found.values()
        ]
        rows.append([name, *cells, "yes" if within(found) else "no"])
    return lines(["router", *codes, "as asked"], rows)


def _speed(speed: Mapping[str, Any]) -> str:
    if not speed:
        return ""
    sizes = [name for name in next(iter(speed.values())) if name != "load_ms"]
    rows = []
    for name, found in speed.items():
        cells = [f"{_two(found[size]['cpu_ms'])}; {_two(found[size]['wall_ms'])}" for size in sizes]
        rows.append([name, *cells, f"{found['load_ms']:.0f}"])
    return lines(["scorer", *sizes, "load and first score"], rows)


def _two(found: Mapping[str, float]) -> str:
    return f"{found['p50']:.2f} / {found['p99']:.2f}"


def _aims(aims: Sequence[Mapping[str, str]]) -> str:
    rows = [[aim["aim"], aim["asked"], aim["measured"], aim["met"]] for aim in aims]
    return lines(["aim", "asked", "measured", "met"], rows) if rows else ""

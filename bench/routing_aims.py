"""What was set out to be reached, beside what was measured. An aim whose set is not here is not shown as met."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.routing_routers import FAST, SLOW
from bench.routing_shift import within
from bench.routing_shipped import FAST as SHIPPED_FAST
from bench.routing_shipped import SLOW as SHIPPED_SLOW
from bench.routing_tables import apgr

_OPEN = "not measured here"


def aims(found: Mapping[str, Any], *, dev: bool) -> list[dict[str, str]]:
    half = "; 27 of 57 subjects" if dev else ""
    return [
        _figure("MMLU and 1,500 labels, APGR", 0.645, found["in_domain"].get("MMLU, 1,500 labels"), half),
        _figure("GSM8K in-domain, APGR", 0.65, found["in_domain"].get("GSM8K, in-domain")),
        _figure("GSM8K, nothing learnt from it, APGR", 0.60, found["transfer"].get("GSM8K")),
        _figure("MT-Bench, nothing learnt from it, APGR", 0.70, found["transfer"].get("MT-Bench")),
        _languages(found["languages"]),
        _time("fast score, p50 of processor time", 0.5, found["speed"], encoder=False),
        _time("score with encoder, p50 of processor time", 5.0, found["speed"], encoder=True),
    ]


def _figure(aim: str, least: float, suite: Mapping[str, Any] | None, note: str = "") -> dict[str, str]:
    """What would be used, not the best of all rows: the scorer as it ships, else the ensemble; with the encoder."""
    rows = {row["router"]: row for row in reversed((suite or {"rows": ()})["rows"])}
    for router in (SHIPPED_SLOW, SHIPPED_FAST, SLOW, FAST):
        if (row := rows.get(router)) is not None:
            return _row(aim, f"{least:.3f}", f"{apgr(row)}, {router}{note}", row["apgr"] >= least)
    return _row(aim, f"{least:.3f}", _OPEN, None)


def _languages(languages: Mapping[str, Any]) -> dict[str, str]:
    named = [name for start in (SHIPPED_SLOW, SHIPPED_FAST, SLOW, FAST) for name in languages if name.startswith(start)]
    asked = "within 5 points of English, Spearman 0.65"
    if not named:
        return _row("the same question in four languages", asked, _OPEN, None)
    rows = languages[named[0]]
    english = rows["en"]["above_training_median"]
    away = max(abs(row["above_training_median"] - english) for row in rows.values()) * 100
    least = min(row["spearman"] for row in rows.values())
    return _row(
        "the same question in four languages", asked, f"{away:.1f} points, {least:.2f}; {named[0]}", within(rows)
    )


def _time(aim: str, most: float, speed: Mapping[str, Any], *, encoder: bool) -> dict[str, str]:
    """At the length of MT-Bench's questions; the others stand beside it."""
    named = [name for name in speed if ("encoder" in name) == encoder]
    if not named:
        return _row(aim, f"{most:g} ms", _OPEN, None)
    p50 = {size: timed["cpu_ms"]["p50"] for size, timed in speed[named[0]].items() if size != "load_ms"}
    least, middle, longest = sorted(p50.values())
    return _row(aim, f"{most:g} ms", f"{middle:.2f} ms; short {least:.2f}, longest {longest:.2f}", middle <= most)


def _row(aim: str, asked: str, measured: str, met: bool | None) -> dict[str, str]:
    return {"aim": aim, "asked": asked, "measured": measured, "met": "–" if met is None else "yes" if met else "no"}

"""What was set out to be reached, beside what was measured. An aim whose set is not here is not shown as met."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bench.routing_routers import FAST, SLOW
from bench.routing_shift import within
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
    """The ensemble that would be used: with the encoder where it is there. Not the best of all rows."""
    rows = [row for row in (suite or {"rows": ()})["rows"] if row["router"] in (FAST, SLOW)]
    rows = [row for row in rows if row["trained"].startswith("LLMRouter")] or rows
    if not rows:
        return _row(aim, f"{least:.3f}", _OPEN, None)
    best = next((row for row in rows if row["router"] == SLOW), rows[0])
    return _row(aim, f"{least:.3f}", f"{apgr(best)}, {best['router']}{note}", best["apgr"] >= least)


def _languages(languages: Mapping[str, Any]) -> dict[str, str]:
    named = [name for name in languages if name.startswith(SLOW)] or [n for n in languages if n.startswith(FAST)]
    asked = "within 5 points of English, Spearman 0.65"
    if not named:
        return _row("the same question in four languages", asked, _OPEN, None)
    rows = languages[named[0]]
    english = rows["en"]["above_training_median"]
    away = max(abs(row["above_training_median"] - english) for row in rows.values()) * 100
    least = min(row["spearman"] for row in rows.values())
    return _row("the same question in four languages", asked, f"{away:.1f} points, {least:.2f}", within(rows))


def _time(aim: str, most: float, speed: Mapping[str, Any], *, encoder: bool) -> dict[str, str]:
    """The slowest size of text counts."""
    named = [name for name in speed if ("encoder" in name) == encoder]
    if not named:
        return _row(aim, f"{most:g} ms", _OPEN, None)
    worst = max(found["cpu_ms"]["p50"] for size, found in speed[named[0]].items() if size != "load_ms")
    return _row(aim, f"{most:g} ms", f"{worst:.2f} ms", worst <= most)


def _row(aim: str, asked: str, measured: str, met: bool | None) -> dict[str, str]:
    return {"aim": aim, "asked": asked, "measured": measured, "met": "–" if met is None else "yes" if met else "no"}

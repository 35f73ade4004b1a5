"""Turns measured rounds into the tables that documentation shows: medians, and ratios within the same round."""

from __future__ import annotations

from statistics import median
from typing import Any

# peer → scenario → one row of figures per round
Results = dict[str, dict[str, list[dict[str, float]]]]


def middle(rows: list[dict[str, float]], key: str) -> float:
    return median(row[key] for row in rows)


def ratio(rows: list[dict[str, float]], base: list[dict[str, float]], key: str) -> float:
    """Median over rounds of this peer's figure over the gateway's: what drifts in a round drifts in both."""
    return median(row[key] / other[key] for row, other in zip(rows, base, strict=True))


def per_event_us(scenarios: dict[str, list[dict[str, float]]], events: int, stream: str, plain: str) -> float:
    """CPU of one streamed event: what a stream costs beyond a plain answer, over its events."""
    pairs = zip(scenarios[stream], scenarios[plain], strict=True)
    return median((row["cpu_ms"] - other["cpu_ms"]) / events * 1e3 for row, other in pairs)


def lines(head: list[str], rows: list[list[str]]) -> str:
    rule = ["---", *["---:"] * (len(head) - 1)]
    return "\n".join("| " + " | ".join(row) + " |" for row in [head, rule, *rows])


def _start_table(found: dict[str, Any]) -> str:
    head = ["start", "ready after", "memory when ready", "after 20 requests"]
    rows = [
        [name, f"{row['ready_s']:.2f} s", f"{row['ready_mb']:.0f} MB", f"{row['warm_mb']:.0f} MB"]
        for name, row in found["start"].items()
    ]
    return lines(head, rows)


def _scenario_table(name: str, results: Results, first: str) -> str:
    head = [name, "CPU per request", "beside " + first, "p50", "p99", "first byte p50", "requests/s"]
    rows = []
    for peer, scenarios in results.items():
        figures = scenarios[name]
        cells = [f"{middle(figures, 'cpu_ms'):.3f} ms", f"{ratio(figures, results[first][name], 'cpu_ms'):.2f} ×"]
        cells += [f"{middle(figures, key):.2f} ms" for key in ("p50_ms", "p99_ms", "first_byte_p50_ms")]
        rows.append([peer, *cells, f"{middle(figures, 'per_s'):.0f}"])
    return lines(head, rows)


def _event_table(results: Results, events: int) -> str:
    names = list(next(iter(results.values())))
    plain = {1: "JSON, 1 connection", 8: "JSON, 8 connections"}
    streams = [name for name in names if name.startswith("stream")]
    rows = []
    for peer, scenarios in results.items():
        cells = [
            f"{per_event_us(scenarios, events, name, plain[1 if ', 1 ' in name else 8]):.1f} µs" for name in streams
        ]
        rows.append([peer, *cells])
    return lines(["CPU per streamed event", *streams], rows)


def table(found: dict[str, Any]) -> str:
    results: Results = found["rounds"]
    first = next(iter(results))
    machine = found["machine"]
    parts = [
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}; medians of {_rounds(results)} rounds."
    ]
    for peer, imported in found["imports_litellm"].items():
        parts.append(f"litellm in the {peer}'s process: {'imported' if imported else 'not imported'}.")
    parts += [f"Without {name}: {reason}." for name, reason in found["missing"].items()]
    parts.append(_start_table(found))
    parts += [_scenario_table(name, results, first) for name in results[first]]
    parts.append(_event_table(results, found["events_per_stream"]))
    return "\n\n".join(parts)


def placed(page: str, tables: str, mark: str = "overhead") -> str:
    """The page with what stood between its two marks replaced."""
    before, begin, rest = page.partition(f"<!-- {mark} -->\n")
    _, end, after = rest.partition(f"<!-- end of {mark} -->")
    if not begin or not end:
        raise ValueError(f"the page lacks the marks <!-- {mark} --> and <!-- end of {mark} -->")
    return f"{before}{begin}\n{tables}\n\n{end}{after}"


def _rounds(results: Results) -> int:
    return len(next(iter(next(iter(results.values())).values())))

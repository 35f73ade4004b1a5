"""The local engine's tables: medians over rounds, ratios within a round, and every aim with what came of it."""

from __future__ import annotations

from statistics import median
from typing import Any

from bench.report import lines, middle

Rows = list[dict[str, float]]


def ratio(rows: Rows, base: Rows, key: str) -> float:
    """Median over the rounds that both have: what drifts in a round drifts in both."""
    return median(row[key] / other[key] for row, other in zip(rows, base, strict=False))


def tables(found: dict[str, Any]) -> str:
    machine = found["machine"]
    about = f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}"
    parts = [f"{about}; medians of {found['rounds']} rounds. {_others(found)}"]
    missing = {name: reason for setting in found["settings"] for name, reason in setting["missing"].items()}
    parts += [f"Without {name}: {reason}." for name, reason in missing.items()]
    if aims := _aims(found):
        parts.append(lines(["aim", "measured", ""], aims))
    parts += [_throughput(setting) for setting in found["settings"]]
    for setting in found["settings"]:
        if setting["extras"]:
            parts += _extras(setting["name"], setting["extras"])
    if found["lag"]:
        parts.append(_lag(found["lag"]))
    return "\n\n".join(parts)


def _others(found: dict[str, Any]) -> str:
    servers = [servers for setting in found["settings"] for servers in setting["streams"].values()]
    shares = [row["others"] for names in servers for rows in names.values() for row in rows]
    return f"Meanwhile other programs took {median(shares):.0%} of the machine (median; at most {max(shares):.0%})."


def _throughput(setting: dict[str, Any]) -> str:
    head = [setting["name"], "streams", "tokens/s", "gateway beside it", "first token p50", "p95"]
    head += ["between tokens p50", "p95", "p99", "CPU per token", "memory at the end"]
    body = []
    for streams, servers in setting["streams"].items():
        for name, rows in servers.items():
            own = servers.get("gateway")
            cells = [name, streams, f"{middle(rows, 'tokens_per_s'):.1f}"]
            cells.append(f"{ratio(own, rows, 'tokens_per_s'):.2f} ×" if own else "")
            cells += [f"{middle(rows, key) / 1e3:.2f} s" for key in ("ttft_p50_ms", "ttft_p95_ms")]
            cells += [f"{middle(rows, key):.0f} ms" for key in ("itl_p50_ms", "itl_p95_ms", "itl_p99_ms")]
            cells.append(f"{middle(rows, 'cpu_ms_per_token'):.1f} ms")
            body.append([*cells, f"{setting['memory_mb'][name]:.0f} MB"])
    return lines(head, body)


def _extras(name: str, extras: dict[str, Any]) -> list[str]:
    out = extras["open"]
    head = [f"{name}, out of step: {out['requests']} requests, {out['per_s']:.2f} a second, 16 to 128 tokens"]
    head += ["tokens/s", "first token p50", "p95", "between tokens p50", "p95", "p99", "longest"]
    body = [
        [server, f"{row['tokens_per_s']:.1f}", *(f"{row[key]:.0f} ms" for key in _OPEN_KEYS)]
        for server, row in out["servers"].items()
    ]
    parts = [lines(head, body)]
    head = [f"{name}, the same system prompt of 400 tokens", "first time", "again", "faster"]
    body = [
        [server, f"{row['cold_ms']:.0f} ms", f"{row['warm_ms']:.0f} ms", f"{row['ratio']:.1f} ×"]
        for server, row in extras["prefix"].items()
    ]
    parts.append(lines(head, body))
    head = [f"{name}, held to a JSON schema", "streams", "free, per token", "held, per token", "cost"]
    body = [
        [server, streams, f"{row['free_ms']:.1f} ms", f"{row['held_ms']:.1f} ms", f"{row['cost']:+.1%}"]
        for streams, servers in extras["grammar"].items()
        for server, row in servers.items()
    ]
    return [*parts, lines(head, body)]


_OPEN_KEYS = ("ttft_p50_ms", "ttft_p95_ms", "itl_p50_ms", "itl_p95_ms", "itl_p99_ms", "itl_max_ms")


def _lag(found: dict[str, dict[str, float]]) -> str:
    head = ["event loop late by, 8 streams", "idle p50", "idle p99", "p50", "p95", "p99", "longest"]
    keys = ("idle_p50_ms", "idle_p99_ms", "busy_p50_ms", "busy_p95_ms", "busy_p99_ms", "busy_max_ms")
    return lines(
        head, [[f"engine in a {name}", *(f"{row[key]:.2f} ms" for key in keys)] for name, row in found.items()]
    )


def _aims(found: dict[str, Any]) -> list[list[str]]:
    """Each aim, what was measured for every setting that it speaks of, and whether all of them meet it."""
    return [row for row in (*_beside_servers(found), *_alone(found)) if row]


def _beside_servers(found: dict[str, Any]) -> list[list[str]]:
    same, shipped = "same file", "as shipped"
    plan = (
        ("tokens/s at least 1.0 × llama-server, same file", same, "llama-server", "tokens_per_s", 1.0, True),
        (
            "tokens/s at least 2.5 × llama_cpp.server, as shipped",
            shipped,
            "llama_cpp.server",
            "tokens_per_s",
            2.5,
            True,
        ),
        ("first token p50 at most 1.0 × llama-server", same, "llama-server", "ttft_p50_ms", 1.0, False),
        ("between tokens p95 at most 1.5 × llama-server", same, "llama-server", "itl_p95_ms", 1.5, False),
    )
    rows = []
    for words, file, other, key, aim, at_least in plan:
        figures = {
            f"{setting['threads']} thr. {streams} str.": ratio(servers["gateway"], servers[other], key)
            for setting in found["settings"]
            if setting["file"] == file
            for streams, servers in setting["streams"].items()
            if "gateway" in servers and other in servers
        }
        rows.append(_judged(words, figures, aim, at_least, "{:.2f} ×"))
    return rows


def _alone(found: dict[str, Any]) -> list[list[str]]:
    prefix: dict[str, float] = {}
    grammar: dict[str, float] = {}
    for setting in found["settings"]:
        where, extras = f"{setting['threads']} thr.", setting["extras"]
        if "gateway" in extras.get("prefix", {}):
            prefix[where] = extras["prefix"]["gateway"]["ratio"]
        for streams, servers in extras.get("grammar", {}).items():
            if "gateway" in servers:
                grammar[f"{where} {streams} str."] = servers["gateway"]["cost"] * 100
    late = {f"engine in a {name}": row["busy_p99_ms"] for name, row in found["lag"].items()}
    return [
        _judged("cached system prompt at least 5 × faster to the first token", prefix, 5.0, True, "{:.1f} ×"),
        _judged("a JSON schema costs at most 10 % per token", grammar, 10.0, False, "{:+.1f} %"),
        _judged("event loop late by at most 5 ms (p99), 8 streams", late, 5.0, False, "{:.1f} ms"),
    ]


def _judged(words: str, figures: dict[str, float], aim: float, at_least: bool, form: str) -> list[str]:
    if not figures:
        return []
    met = [figure >= aim if at_least else figure <= aim for figure in figures.values()]
    said = ", ".join(f"{where} {form.format(figure)}".strip() for where, figure in figures.items())
    verdict = "met" if all(met) else "missed" if not any(met) else f"met in {sum(met)} of {len(met)}"
    return [words, said, verdict]

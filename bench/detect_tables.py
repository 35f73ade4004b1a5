"""The figures of a run as the tables that docs/privacy.md shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.detect_rows import LANGUAGES, LONG_FORMS
from bench.report import lines

_NAMES = {
    "native": "native rows (ours)",
    "synth_ml": "templates (ours)",
    "pupa": "PUPA (real prompts, en)",
    "presidio_synth_v2": "Presidio's templates (en)",
    "e3c": "E3C case reports (it, es, fr, en)",
    "gitleaks_tests": "gitleaks' secrets",
    "leaky_repo": "leaky-repo files",
    "vllmsr": "vLLM router's cases (en)",
    "clean_prompts": "clean prompts",
    "meddocan": "MEDDOCAN (es, clinical)",
    "piianon_clinical": "pii-anon clinical",
    "piianon_legal": "pii-anon legal",
    "piianon_technology": "pii-anon technology",
    "piianon_adversarial": "pii-anon adversarial",
}
_EMPTY = "–"


def share(counted: Mapping[str, Any] | None, *, interval: bool = True) -> str:
    """`94.1 % (91–96)`, the interval at 95 %."""
    if not counted or not counted["of"]:
        return _EMPTY
    value = f"{counted['hits'] / counted['of']:.1%}".replace("%", " %")
    return f"{value} ({_end(counted['low'])}–{_end(counted['high'])})" if interval else value


def _end(bound: float) -> str:
    """An end of an interval in percent; below two percent a decimal says something."""
    return f"{bound * 100:.1f}" if 0 < bound < 0.02 else f"{bound * 100:.0f}"


def tables(found: Mapping[str, Any]) -> str:
    ours = found["gateway"]
    head = found["machine"]
    parts = [
        f"{head['cpu']}, Python {head['python']}, one thread; commit `{found['commit']}`. "
        "In brackets: Wilson's interval at 95 %, in percent.",
        *(f"Without {name}: {reason}." for name, reason in found.get("missing", {}).items()),
        _caption("Private requests", "Share in which anything was found; `kept` = graded confidential or above by the "
                 "default policy. All rows that did not teach the tagger.", _private(ours["requests"])),
        _caption("Clean requests", "The same for requests that hold nothing private: here less is better.",
                 _clean(ours["false_alarms"])),
        _caption("Native rows by language and area", "Found, then kept of those that should be kept.",
                 _matrix(ours["native"])),
        _caption("The positive test for PUBLIC", "Private requests that it lets pass (less is better), clean ones that "
                 "it recognises (the others stay `internal`).", _positive(ours["positive_test"])),
        _caption("Values", "Share of marked values found (half of their characters or more), and hidden (every letter "
                 "and digit). Native rows and templates.", _kinds(ours["by_kind"], ours["checked"])),
        _caption("Disguises", "Values with a structure (numbers, addresses of mail) written in another way.",
                 _evasion(ours["evasion"], found.get("peers", {}))),
        _caption("After pseudonymising", "Marked values that are in the outgoing text all the same, and answers that "
                 "come back exactly however they are cut.", _leakage(ours["leakage"])),
        *_compared(found),
        _caption("Processor time", "p50 / p99 for texts of so many characters.", _speed(found)),
        _caption("Slow texts", "The worst of the texts of 20,000 characters that were made to be slow.",
                 _nasty(found)),
        _caption("Start", "", _start(found)),
        _caption("What is missed", "Private requests in which nothing was found, by category, and values not found, "
                 "by kind.", _missed(ours["missed"])),
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part)


def _caption(title: str, text: str, table: str) -> str:
    return "\n\n".join(part for part in (f"### {title}", text, table) if part)


def _private(counted: Mapping[str, Any]) -> str:
    rows = [
        [_NAMES[name], str(row["private found"]["of"]), share(row["private found"]), share(row.get("private kept"))]
        for name, row in counted.items()
        if "private found" in row and name not in LONG_FORMS
    ]
    return lines(["", "requests", "found", "kept"], rows)


def _clean(alarms: Mapping[str, Any]) -> str:
    rows = [
        [shown, str(alarms["found"][name]["of"]), share(alarms["found"][name]), share(alarms["kept"][name])]
        for name, shown in _in_order(alarms["found"])
    ]
    kinds = ", ".join(f"{kind} {count}" for kind, count in alarms["kinds"].items())
    return lines(["", "requests", "found", "kept"], rows) + (f"\n\nWhat raised these alarms: {kinds}." if kinds else "")


def _in_order(names: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Sums first, each source and language after its sum; with the words that a reader sees."""
    sums = {
        "clean_prompts": "clean prompts",
        "clean_prompts|others": "clean prompts, all but maths",
        "clean_prompts|maths": "clean prompts, maths problems full of invented people",
        "native": "hard ones of the native rows",
        "synth_ml": "hard ones of the templates",
        "gitleaks_tests": "gitleaks' false positives",
        "presidio_synth_v2": "Presidio's templates without a value",
    }
    several = [name for name in names if name not in sums and " " in name]
    return [(name, f"**{shown}**") for name, shown in sums.items() if name in names] + [
        (name, name.replace("_", "-")) for name in sorted(several)
    ]


def _matrix(native: Mapping[str, Any]) -> str:
    areas = sorted({name.split("|")[1] for name in native["found"]} - {"all"})
    rows = []
    for area in [*areas, "all"]:
        cells = []
        for lang in (*LANGUAGES, "all"):
            name = f"{lang}|{area}"
            whole = "all" in (lang, area)
            two = [share(native[which].get(name), interval=whole) for which in ("found", "kept")]
            cells.append(" · ".join(two) if two != [_EMPTY, _EMPTY] else _EMPTY)
        rows.append([area, *cells])
    return lines(["", *LANGUAGES, "all"], rows)


def _positive(test: Mapping[str, Any]) -> str:
    wrong, right = test["private_let_pass"], test["clean_recognised"]
    rows = [
        [_NAMES.get(name, name), str(wrong.get(name, {}).get("of", 0)), share(wrong.get(name)),
         str(right.get(name, {}).get("of", 0)), share(right.get(name))]
        for name in [*(name for name in _NAMES if name in wrong or name in right), "all"]
    ]  # fmt: skip
    return lines(["", "private", "let pass", "clean", "recognised"], rows)


def _kinds(counted: Mapping[str, Any], checked: Mapping[str, Any]) -> str:
    kinds = sorted({name.split("|")[1] for name in counted})
    rows = []
    for kind in kinds:
        here = [counted.get(f"{lang}|{kind}") for lang in LANGUAGES]
        sums = {which: _sum([one[which] for one in here if one]) for which in ("found", "hidden")}
        cells = [share(one["found"], interval=False) if one else _EMPTY for one in here]
        rows.append([kind, str(sums["found"]["of"]), *cells, share(sums["found"]), share(sums["hidden"])])
    table = lines(["", "values", *LANGUAGES, "found", "hidden"], rows)
    whole = checked.get("all")
    return table + (f"\n\nIdentifiers with a checksum: {share(whole)} of {whole['of']} found." if whole else "")


def _sum(shares: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    from gateway.core.share import wilson

    hits, total = sum(one["hits"] for one in shares), sum(one["of"] for one in shares)
    low, high = wilson(hits, total)
    return {"hits": hits, "of": total, "low": low, "high": high}


def _evasion(ours: Mapping[str, Any], peers: Mapping[str, Any]) -> str:
    others = {name: peer["evasion"] for name, peer in peers.items() if peer["evasion"] and name != "betterleaks"}
    rows = []
    for name, row in ours.items():
        kept = share(row["kept"]) if "kept" in row else _EMPTY
        cells = [share(other[name]["found"], interval=False) for other in others.values()]
        rows.append([name, share(row["found"], interval=False), kept, *cells])
    changed = [row for row in ours.values() if "kept" in row]
    mean = _mean([row["kept"] for row in changed])
    of_others = [_mean([row["found"] for name, row in other.items() if name != "plain"]) for other in others.values()]
    rows.append(["mean of the disguises", _mean([row["found"] for row in changed]), mean, *of_others])
    return lines(["", "found", "kept of what is found plainly", *(f"{name}: found" for name in others)], rows)


def _mean(shares: Sequence[Mapping[str, Any]]) -> str:
    values = [one["hits"] / one["of"] for one in shares if one["of"]]
    return f"{sum(values) / len(values):.1%}".replace("%", " %") if values else _EMPTY


def _leakage(leakage: Mapping[str, Any]) -> str:
    rows = []
    for name, row in leakage.items():
        exact = row["restored_exactly"]
        rows.append(
            [
                _NAMES.get(name, name),
                str(row["left"].get("all", {}).get("of", 0)),
                share(row["left"].get("all")),
                share(row["left_where_masking_may_leave"]),
                share(row["stays_because_it_cannot_be_replaced"], interval=False),
                f"{exact['hits']} of {exact['of']}",
            ]
        )
    head = ["", "values", "still in the text", "where at most confidential", "requests that stay", "restored exactly"]
    return lines(head, rows)


def _compared(found: Mapping[str, Any]) -> list[str]:
    peers, ours = found.get("peers", {}), found["gateway"]
    if not peers:
        return []
    readings = {"gateway": {"requests": ours["requests_sampled"], "spans": ours["spans_sampled"]}, **peers}
    rows, values = [], []
    for name, counted in ours["requests_sampled"].items():
        for side in ("private", "clean"):
            if name not in LONG_FORMS and (key := f"{side} found") in counted:
                cells = [share(reading["requests"][name][key]) for reading in readings.values()]
                kept = share(counted.get(f"{side} kept"))
                rows.append([f"{_NAMES[name]}, {side}", str(counted[key]["of"]), cells[0], kept, *cells[1:]])
        if name in ours["spans_sampled"]:
            cells = [share(reading["spans"][name]["found"], interval=False) for reading in readings.values()]
            values.append([_NAMES[name], str(ours["spans_sampled"][name]["found"]["of"]), *cells])
    return [
        _caption(
            "Beside other detectors: requests",
            "Anything found, the same rows for all; on private rows more is better, on clean ones less. `tuned` drops "
            "dates, places, links, organisations and what scores below 0.4. Only the gateway tells what it finds from "
            "what it keeps: a name alone is found and not kept.",
            lines(["", "requests", "gateway", "gateway: kept", *list(readings)[1:]], rows),
        ),
        _caption("Beside other detectors: values", "Found, the same rows for all.",
                 lines(["", "values", *readings], values)),
    ]  # fmt: skip


def _speed(found: Mapping[str, Any]) -> str:
    all_ = {"gateway": found["gateway"], **found.get("peers", {})}
    rows = [
        [name, *(f"{at['p50_ms']:.2f} / {at['p99_ms']:.2f} ms" for at in row["speed"].values())]
        for name, row in all_.items()
        if "speed" in row
    ]
    return lines(["", *(f"{int(size):,}" for size in found["gateway"]["speed"])], rows)


def _nasty(found: Mapping[str, Any]) -> str:
    rows = []
    for name, row in {"gateway": found["gateway"], **found.get("peers", {})}.items():
        worst = sorted(row.get("nasty", {}).items(), key=lambda item: -item[1]["ms"])[:4]
        if worst:
            growth = max((text.get("growth", 0.0) for text in row["nasty"].values()), default=0.0)
            told = ", ".join(f"{text} {cost['ms']:.1f} ms" for text, cost in worst)
            rows.append([name, str(len(row["nasty"])), told, f"{growth:.1f} ×" if growth else _EMPTY])
    return lines(["", "texts", "the slowest", "four times as long costs at most"], rows)


def _start(found: Mapping[str, Any]) -> str:
    rows = [
        [f"gateway, {name}", f"{row['load_s']:.2f} s", f"{row['load_ms'] / 1e3:.2f} s", f"{row['memory_mb']:.0f} MB"]
        for name, row in found["gateway"]["start"].items()
    ]
    rows += [
        [name, f"{peer['start']['load_s']:.2f} s", f"{peer['start']['load_ms'] / 1e3:.2f} s",
         f"{peer['start']['memory_mb']:.0f} MB"]
        for name, peer in found.get("peers", {}).items() if "start" in peer
    ]  # fmt: skip
    return lines(["", "ready after", "processor time", "memory of the process"], rows)


def _missed(missed: Mapping[str, Any]) -> str:
    rows = [
        [_NAMES[name], *(_listed(row[which]) for which in ("requests", "values"))]
        for name, row in missed.items()
        if row["requests"] or row["values"]
    ]
    return lines(["", "requests", "values"], rows)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name or 'any'} {count}" for name, count in counts.items()) or _EMPTY

"""How good and how fast the detectors are, beside Presidio, argus-redact and betterleaks over the same rows.

`make bench-detect` or `python -m bench.detect [--data DIR] [--write]`. The project's own rows are always measured; a
folder of open sets is named by --data or by GATEWAY_BENCH_DATA (docs/privacy.md says what is in ours and where it
comes from). Times are processor time of one thread. Nothing of any row is printed or written, only counts.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.detect_evasion import matrix, targets
from bench.detect_leak import leakage
from bench.detect_ours import Ours
from bench.detect_peers import compare
from bench.detect_quality import (
    Said,
    by_language_and_category,
    checked,
    false_alarms,
    missed,
    positive_test,
    requests,
    spans,
    spans_by_kind,
)
from bench.detect_rows import LONG_FORMS, Row, native_rows, outside_rows, sample
from bench.detect_speed import by_length, nasty, start
from bench.detect_tables import tables
from bench.overhead import ROOT, machine
from bench.report import placed

VARIABLE = "GATEWAY_BENCH_DATA"
OWN = ("native", "synth_ml")
"""Sets written for this project, the second one together with the first sketch of its rules."""
PEER_ROWS = 150
EVASIONS = 185
LEAK_ROWS = 250


def commit() -> str:
    """Which state was measured; with a plus where files of it had changed."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()

    try:
        changed = git("status", "--porcelain", "--", "gateway", "policies", "tests/data", "bench")
        return git("rev-parse", "--short=12", "HEAD") + ("+" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def measure(options: argparse.Namespace, cache: Path) -> dict[str, Any]:
    sets = {"native": native_rows(), **(outside_rows(options.data, taught=options.taught) if options.data else {})}
    if options.rows:
        sets = {name: sample(rows, options.rows) for name, rows in sets.items()}
    ours = Ours.load(cache)
    step = _Steps()
    said: Said = step("looking", lambda: {name: (rows, ours.look_all(rows)) for name, rows in sets.items()})
    shared = {name: sample(rows, options.peer_rows) for name, rows in sets.items()}
    picked = {id(row) for rows in shared.values() for row in rows}
    chosen = targets([row for name in OWN for row in sets.get(name, ())], EVASIONS)
    own = [row for name in OWN for row in sets.get(name, ())]
    found = {
        "machine": machine(),
        "commit": commit(),
        "pack": ours.scanner.pack,
        "policy": ours.policy.digest,
        "rows": {name: len(rows) for name, rows in sets.items()},
        "taught_rows_counted": options.taught,
        "gateway": {
            "requests": requests(said),
            "requests_sampled": requests(_only(said, picked)),
            "spans": spans(said),
            "spans_sampled": spans(_only(said, picked)),
            "native": by_language_and_category(*said["native"]),
            "synth_ml": by_language_and_category(*said["synth_ml"]) if "synth_ml" in said else {},
            "false_alarms": false_alarms(
                [row for rows, _ in said.values() for row in rows], [one for _, each in said.values() for one in each]
            ),
            "checked": checked(said),
            "positive_test": positive_test({name: said[name] for name in said if name not in LONG_FORMS}),
            "by_kind": spans_by_kind(said, OWN),
            "missed": missed(said, tuple(said)),
            "evasion": step("evasions", lambda: matrix(chosen, ours.look_all)),
            "leakage": step("leakage", lambda: leak(ours, own, sets)),
            "speed": step("speed", lambda: by_length(ours.cpu_ms, 8 if options.quick else 1)),
            "nasty": step("slow texts", lambda: nasty(ours.cpu_ms, 1 if options.quick else 3, growth=True)),
            "start": step("start", lambda: start(cache, first=not options.quick)),
        },
    }
    if not options.alone:
        others = compare(options.only, shared, chosen, ROOT / ".cache", quick=options.quick)
        found |= {"peers": others.found, "missing": others.missing}
    return found


def leak(ours: Ours, own: list[Row], sets: dict[str, list[Row]]) -> dict[str, Any]:
    table = {"own rows": leakage(ours, own)}
    for name in LONG_FORMS:
        if name in sets:
            table[name] = leakage(ours, sample(sets[name], LEAK_ROWS))
    return table


def _only(said: Said, picked: set[int]) -> Said:
    """The very rows that the others get: some sets give one id to two rows."""
    chosen = {}
    for name, (rows, found) in said.items():
        both = [(row, what) for row, what in zip(rows, found, strict=True) if id(row) in picked]
        chosen[name] = ([row for row, _ in both], [what for _, what in both])
    return chosen


class _Steps:
    """Says on stderr how long each part took."""

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:
        began = time.perf_counter()
        result = work()
        print(f"{name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    named = os.environ.get(VARIABLE)
    parser.add_argument("--data", type=Path, default=Path(named) if named else None, help=f"default: ${VARIABLE}")
    parser.add_argument("--taught", action="store_true", help="also the rows that the tagger learnt from")
    parser.add_argument("--rows", type=int, default=0, help="at most so many rows of every set (default: all)")
    parser.add_argument("--peer-rows", type=int, default=PEER_ROWS, help=f"and for the others (default: {PEER_ROWS})")
    parser.add_argument("--alone", action="store_true", help="without the other detectors")
    parser.add_argument("--only", action="append", default=[], choices=["presidio", "argus", "betterleaks"])
    parser.add_argument("--quick", action="store_true", help="a look: few times, no disguises for the others")
    parser.add_argument("--write", action="store_true", help="put the tables into docs/privacy.md")
    parser.add_argument("--out", type=Path, default=ROOT / "bench" / "results" / "detect.json")
    options = parser.parse_args()
    if options.data and not options.data.is_dir():
        parser.error(f"there is no folder {str(options.data)!r}")
    work = ROOT / ".cache" / "bench"
    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=work) as cache:
        found = measure(options, Path(cache))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    text = tables(found)
    print(text)
    if options.write:
        page = ROOT / "docs" / "privacy.md"
        page.write_text(placed(page.read_text(encoding="utf-8"), text, "detect"), encoding="utf-8")


if __name__ == "__main__":
    main()

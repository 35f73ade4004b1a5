"""How fast and how good the detectors are: `python bench/detect.py [--data DIR] [--json FILE]`.

Without arguments it times generated texts. With `--data DIR` it also scans every `*.jsonl` there (rows with `text` and
`sensitive`, and perhaps `spans`) and prints recall and false positives per file.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from gateway.detect import Scanner

PROSE = (
    "Please summarise the following notes for the meeting on Thursday, and list the open questions at the end.",
    "The quarterly figures rose by 3.4 % to 12,480 units, while returns fell for the 4th time since 2019.",
    "Per favore riassumi il testo in cinque punti e spiega la differenza tra le due versioni del contratto.",
    "Explique por qué la función devuelve None cuando la lista está vacía; use Python 3.12.1 en el ejemplo.",
    "Wie wirkt sich die Änderung auf die Laufzeit aus, wenn 250 Anfragen pro Sekunde eintreffen?",
    "def total(rows): return sum(row.price * row.count for row in rows if row.valid and not row.deleted)",
    "Le délai de livraison est de 14 jours ouvrables à compter de la réception de la commande n° 2024-118.",
)
SENSITIVE = (
    "IBAN DE21 3015 9876 5432 1098 70",
    "carta 5515 4321 4558 3581",
    "chiamami al +39 346 507 5291",
    "CF ZPCLRB98P07H501C",
    "mail anna.verdi@posta-aziendale.it",
    "ghp_FBNOfQ5xj7t2ydf0K5uY8iH1wOLaQan8ePsq",
    "password: Ve1tro-9!x",
    "2024-05-17 10:33:00",
)
STRUCTURED = frozenset({"IBAN", "CARD", "NATIONAL_ID", "EMAIL", "PHONE"})


def text_of(size: int, *, dense: bool, seed: int) -> str:
    dice = random.Random(seed)
    parts: list[str] = []
    while sum(map(len, parts)) < size:
        parts.append(dice.choice(PROSE))
        if dense and dice.random() < 0.5:
            parts.append(dice.choice(SENSITIVE))
    return " ".join(parts)[:size]


def timed(run: Callable[[], object], repeat: int) -> tuple[float, float]:
    """p50 and p99 in ms of processor time."""
    times = []
    for _ in range(repeat):
        start = time.thread_time()
        run()
        times.append((time.thread_time() - start) * 1000)
    times.sort()
    return statistics.median(times), times[min(len(times) - 1, int(len(times) * 0.99))]


def chat(*texts: str) -> dict[str, Any]:
    roles = ("system", "user", "assistant")
    messages = [{"role": roles[n % 3], "content": text} for n, text in enumerate(texts)]
    return {"model": "auto", "messages": messages, "temperature": 0.2, "max_tokens": 256, "stream": True}


def latency(scanner: Scanner) -> list[dict[str, Any]]:
    import anyio

    rows = []
    for size in (200, 400, 2000, 20000):
        for dense in (False, True):
            bodies = [chat(text_of(size, dense=dense, seed=seed)) for seed in range(12)]
            for body in bodies:
                scanner.scan_now(body)
            repeat = 40 if size < 20000 else 6
            runs: Iterator[dict[str, Any]] = iter(bodies * repeat)
            p50, p99 = timed(lambda runs=runs: scanner.scan_now(next(runs)), len(bodies) * repeat)
            rows.append({"what": f"{size} chars, {'dense' if dense else 'plain'}", "p50_ms": p50, "p99_ms": p99})

    async def door() -> tuple[float, float]:
        body = chat("Be brief.", text_of(400, dense=False, seed=1), "Sure.")
        seen: dict[Any, Any] = {}
        await scanner.scan(body, seen)
        times = []
        for _ in range(500):
            start = time.thread_time()
            await scanner.scan(body, seen)
            times.append((time.thread_time() - start) * 1000)
        return statistics.median(times), sorted(times)[-5]

    p50, p99 = anyio.run(door)
    rows.append({"what": "door: 3 messages seen before", "p50_ms": p50, "p99_ms": p99})
    for name, unit in (("1 1 1", "1 "), ("a.a.a.", "a."), ("1.1.1.", "1."), ("a@a@", "a@"), ("word=", "key = ")):
        body = chat((unit * 20000)[:20000])
        p50, p99 = timed(lambda body=body: scanner.scan_now(body), 3)
        rows.append({"what": f"20000 chars of {name!r}", "p50_ms": p50, "p99_ms": p99})
    return rows


def start_up() -> list[dict[str, Any]]:
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("cold", "warm"):
            start = time.perf_counter()
            Scanner.load(cache_dir=Path(folder))
            rows.append({"what": f"load, {name}", "ms": (time.perf_counter() - start) * 1000})
    rows.append({"what": "resident MB at most", "ms": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024})
    return rows


def quality(scanner: Scanner, folder: Path, show: int) -> list[dict[str, Any]]:
    rows = []
    for path in sorted(folder.glob("*.jsonl")):
        counts: Counter[str] = Counter()
        kinds: Counter[str] = Counter()
        spans: dict[str, list[int]] = defaultdict(lambda: [0, 0])
        with path.open(encoding="utf-8") as lines:
            for row in map(json.loads, lines):
                scan = scanner.find_in_text(row["text"])
                found = [finding for finding in scan.findings if row["source"] != "gitleaks" or not finding.reserved]
                hit = bool(found)
                counts[f"{'positive' if row['sensitive'] else 'negative'}-{'hit' if hit else 'miss'}"] += 1
                counts["unreadable"] += bool(scan.unreadable)
                if show and hit != bool(row["sensitive"]) and counts["shown"] < show:
                    counts["shown"] += 1
                    print("  ", "FALSE" if hit else "MISSED", row["id"], repr(row["text"][:160]))
                    for finding in found:
                        part = row["text"][finding.place.start : finding.place.end]
                        print("       ", finding.kind, finding.place.view, repr(part[:80]))
                if not row["sensitive"]:
                    kinds.update({finding.kind for finding in found})
                for start, end, label in row.get("spans", ()):
                    if label in STRUCTURED | {"SECRET"}:
                        covered = any(f.place.start < end and start < f.place.end for f in found)
                        spans[label][0] += covered
                        spans[label][1] += 1
        positive = counts["positive-hit"] + counts["positive-miss"]
        negative = counts["negative-hit"] + counts["negative-miss"]
        rows.append(
            {
                "file": path.name,
                "recall": f"{counts['positive-hit'] / positive:.3f} of {positive}" if positive else "-",
                "false_positive": f"{counts['negative-hit'] / negative:.4f} of {negative}" if negative else "-",
                "unreadable": counts["unreadable"],
                "spans": {label: f"{hits / total:.2f}" for label, (hits, total) in sorted(spans.items())},
                "false_kinds": dict(kinds.most_common(6)),
            }
        )
    return rows


def table(rows: list[dict[str, Any]]) -> None:
    for row in rows:
        print(
            "  ".join(
                f"{value:.3f}".rjust(10) if isinstance(value, float) else str(value).ljust(30) for value in row.values()
            )
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of labelled .jsonl files")
    parser.add_argument("--show", type=int, default=0, help="print so many wrong rows per file")
    parser.add_argument("--json", type=Path, help="write the figures here as well")
    parser.add_argument("--skip-latency", action="store_true")
    arguments = parser.parse_args()
    report: dict[str, Any] = {"start": start_up()}
    scanner = Scanner.load()
    if not arguments.skip_latency:
        report["latency"] = latency(scanner)
    if arguments.data:
        report["quality"] = quality(scanner, arguments.data, arguments.show)
    for name, rows in report.items():
        print(f"\n{name}")
        table(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

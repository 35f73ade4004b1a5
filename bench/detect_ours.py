"""The gateway's own detectors in the bench: what they find in a row, and what the default policy makes of it."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio

from bench.detect_found import Found
from bench.detect_rows import Row
from gateway.core.ports import Detector
from gateway.core.types import VALUES, Assessment, Finding, Principal, Request, Scan, Sensitivity
from gateway.detect import Scanner
from gateway.detect.scripts import Scripts
from gateway.detect.stack import Stack
from gateway.policy.cases import CATALOGUE
from gateway.policy.load import load_policy

POLICY = Path(__file__).resolve().parent.parent / "policies" / "default.yaml"
_CONTENT = re.compile(r"\$\.messages\[(\d+)\]\.content")
_WEAK = frozenset({"person"})


@dataclass(slots=True)
class Ours:
    """Everything that is on by default, with a deadline that a loaded machine does not reach."""

    scanner: Scanner
    detector: Detector
    policy: Any
    looks: int = 0

    @classmethod
    def load(cls, cache_dir: Path) -> Ours:
        scanner = Scanner.load(cache_dir=cache_dir, deadline_ms=10_000)
        return cls(scanner, Scripts(Stack(scanner)), load_policy(POLICY, CATALOGUE))

    def scan(self, row: Row) -> Scan:
        """In no event loop."""
        return anyio.run(self.detector.scan, {"model": "auto", "messages": [*row.messages]})

    def assessed(self, row: Row) -> tuple[Request, Assessment]:
        """The row as the line would see it."""
        scan = self.scan(row)
        request = Request("bench", Principal(), "auto", {"model": "auto", "messages": [*row.messages]})
        return request, Assessment(scan.findings, scan.unreadable, generic=scan.generic, pack=scan.pack)

    def look(self, row: Row) -> Found:
        request, assessment = self.assessed(row)
        level = self.policy.decide(request, assessment).level
        findings = assessment.findings
        return Found(
            values=tuple(_places(row, findings)),
            found=bool(findings or assessment.unreadable),
            kept=level >= Sensitivity.CONFIDENTIAL,
            kinds=tuple(sorted({finding.kind for finding in findings} | {u.reason for u in assessment.unreadable})),
            unreadable=bool(assessment.unreadable),
            names_only=bool(findings) and all(finding.category in _WEAK for finding in findings),
            generic=assessment.generic and not findings and not assessment.unreadable,
        )

    def look_all(self, rows: Sequence[Row]) -> list[Found]:
        return [self.look(row) for row in rows]

    def cpu_ms(self, text: str) -> float:
        """Of a look at a text that is new: what was said of a string before is remembered, so none is sent twice."""
        self.looks += 1
        document = {"model": "auto", "messages": [{"role": "user", "content": f"{self.looks}\n{text}"}]}
        start = time.thread_time()
        self.scanner.scan_now(document)
        return (time.thread_time() - start) * 1e3


def _places(row: Row, findings: Sequence[Finding]) -> list[tuple[int, int]]:
    """Where values stand in the row's text; findings that say what a text is about hide nothing."""
    starts = row.starts
    places = []
    for finding in findings:
        content = _CONTENT.fullmatch(finding.place.path)
        if content and finding.category in VALUES:
            start = starts[int(content[1])]
            places.append((start + finding.place.start, start + finding.place.end))
    return places

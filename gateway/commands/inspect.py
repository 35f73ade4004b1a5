"""`gateway inspect`: findings and level of texts or chats, one JSON line each."""

from __future__ import annotations

import argparse
import json
import sys
import time
from typing import Any

from gateway.commands.situation import document_of, rows, scanner, situation
from gateway.core.types import Assessment, Principal, Request


def run(args: argparse.Namespace) -> int:
    from gateway.policy.load import load_policy

    here = situation(args)
    policy = load_policy(here.policy, here.specs)
    detector = scanner(here)
    for row in rows(args):
        began = time.perf_counter()
        scan = detector.scan_now(document_of(row))
        request = Request("inspect", Principal(), "auto", {"messages": []})
        level = policy.decide(request, Assessment(scan.findings, scan.unreadable)).level
        found = {
            "id": row["id"],
            "sensitivity": str(level),
            "categories": sorted({finding.category for finding in scan.findings}),
            "findings": [_finding(finding) for finding in scan.findings],
            "ms": round((time.perf_counter() - began) * 1000, 3),
        }
        if not args.jsonl:
            found["unreadable"] = [{"path": part.path, "reason": part.reason} for part in scan.unreadable]
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
    return 0


def _finding(finding: Any) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "category": finding.category,
        "path": finding.place.path,
        "start": finding.place.start,
        "end": finding.place.end,
        "confidence": finding.confidence,
    }

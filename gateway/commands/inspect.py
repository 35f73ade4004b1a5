"""`gateway inspect`: findings and level of texts or chats, as JSON lines or, on a terminal, marked in their text."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import anyio

from gateway.commands.situation import chat_or_text, detecting, document_of, rows, situation
from gateway.core.types import Assessment, Finding, Json, Principal, Request, Scan

if TYPE_CHECKING:
    from gateway.policy.evaluate import CompiledPolicy


def run(args: argparse.Namespace) -> int:
    anyio.run(_inspect, args)
    return 0


async def _inspect(args: argparse.Namespace) -> None:
    from gateway.policy.load import load_policy

    here = situation(args)
    policy = load_policy(here.policy, here.specs)
    person = sys.stdout.isatty() and not (args.json or args.jsonl)
    async with detecting(here, policy) as detector:
        for row in rows(args) if args.jsonl else [chat_or_text()]:
            document = document_of(row)
            began = time.perf_counter()
            scan = await detector.scan(document)
            told = _told(row["id"], scan, policy, began)
            if person:
                print("\n".join(_lines(document, scan, policy, told, explain=args.explain)))
                continue
            if not args.jsonl:
                told["unreadable"] = [{"path": part.path, "reason": part.reason} for part in scan.unreadable]
            if args.explain:
                told |= _explained(scan, policy)
            sys.stdout.write(json.dumps(told) + "\n")
            sys.stdout.flush()


def _told(name: Json, scan: Scan, policy: CompiledPolicy, began: float) -> dict[str, Any]:
    """What machines read: nothing of the text is in it."""
    return {
        "id": name,
        "sensitivity": str(policy.decide(_REQUEST, _assessed(scan)).level),
        "categories": sorted({finding.category for finding in scan.findings}),
        "findings": [_finding(finding) for finding in scan.findings],
        "ms": round((time.perf_counter() - began) * 1000, 3),
    }


_REQUEST = Request("inspect", Principal(), "auto", {"messages": []})


def _assessed(scan: Scan) -> Assessment:
    return Assessment(scan.findings, scan.unreadable, pack=scan.pack, generic=scan.generic)


def _finding(finding: Finding) -> dict[str, Any]:
    return {
        "kind": finding.kind,
        "category": finding.category,
        "path": finding.place.path,
        "start": finding.place.start,
        "end": finding.place.end,
        "confidence": finding.confidence,
    }


def _explained(scan: Scan, policy: CompiledPolicy) -> dict[str, Any]:
    """Who says so, and what the policy makes of it."""
    from gateway.policy.explain import explain

    explained = explain(policy, _REQUEST, _assessed(scan))
    return {
        "findings": [
            {
                **_finding(finding),
                "detector": finding.detector,
                "view": finding.place.view,
                "near": sorted(finding.near),
                "reserved": finding.reserved,
                "level": str(policy.level_of(finding.kind, finding.category)),
                "counts": bool(policy.levels.counting((finding,))),
            }
            for finding in scan.findings
        ],
        "raised_by": explained["level"]["raised_by"],
        "public": explained["level"].get("public"),
        "generic": scan.generic,
        "policy": policy.name,
        "pack": scan.pack,
    }


# ── For a person ────────────────────────────────────────────────────────────────────────────────────────────────────


def _lines(
    document: Mapping[str, Json], scan: Scan, policy: CompiledPolicy, told: Mapping[str, Any], *, explain: bool
) -> Iterator[str]:
    """The level, each text with its findings marked in it, and with `explain` where they come from."""
    more = _explained(scan, policy)
    yield f"{told['sensitivity']}: {', '.join(told['categories']) or 'nothing found'} (policy {policy.name})"
    by_path: dict[str, list[Finding]] = {}
    for finding in scan.findings:
        by_path.setdefault(finding.place.path, []).append(finding)
    for path, findings in by_path.items():
        yield ""
        yield f"{path}:"
        yield from (f"  {line}" for line in _in_context(document, path, findings, policy).splitlines())
        if explain:
            yield from (f"    {_reason(each)}" for each in more["findings"] if each["path"] == path)
    for part in scan.unreadable:
        yield f"cannot read {part.path}: {part.reason}"
    if explain:
        yield ""
        yield from (f"raised: {reason}" for reason in more["raised_by"])
        if more["public"] is not None:
            yield f"public: {more['public']}"


def _in_context(document: Mapping[str, Json], path: str, findings: list[Finding], policy: CompiledPolicy) -> str:
    from gateway.commands.marked import Mark, coloured, marked
    from gateway.transform.places import LostError, spot

    try:
        text = spot(document, path)[0].text
    except LostError:  # read out of a file or out of several strings: there is no one text to show
        return ", ".join(dict.fromkeys(finding.kind for finding in findings))
    marks = [
        Mark(each.place.start, each.place.end, (each.kind,), policy.level_of(each.kind, each.category))
        for each in findings
    ]
    return marked(text, marks, colour=coloured())


def _reason(finding: Mapping[str, Any]) -> str:
    told = [f"{finding['kind']} ({finding['category']}) → {finding['level']}", f"found by {finding['detector']}"]
    if finding["view"] != "raw":
        told.append(f"in the reading {finding['view']!r}")
    told.append(f"confidence {finding['confidence']:.2f}")
    if finding["near"]:
        told.append(f"near {', '.join(finding['near'])}")
    if finding["reserved"]:
        told.append("a documentation example" + ("" if finding["counts"] else ", let pass"))
    return ", ".join(told)

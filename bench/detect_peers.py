"""The other detectors over the same rows in the same run: what they say, what it costs, and which are not here."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.detect_evasion import matrix
from bench.detect_found import Found
from bench.detect_quality import requests, spans
from bench.detect_rows import Row, Span
from bench.detect_speed import LONG, by_length, nasty
from bench.peers.detector import DETECTORS, Child, Detector
from bench.peers.peer import NotHere

SURE = 0.4
"""Presidio's own documentation and most who run it drop what scores less."""


@dataclass(slots=True)
class Peers:
    found: dict[str, Any] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)


def compare(
    chosen: Sequence[str],
    sets: Mapping[str, Sequence[Row]],
    targets: Sequence[tuple[Row, Span]],
    cache: Path,
    *,
    quick: bool,
) -> Peers:
    peers = Peers()
    for detector in DETECTORS:
        if chosen and detector.module not in chosen:
            continue
        began = time.perf_counter()
        try:
            with detector.started(cache) as child:
                _measure(peers, detector, child, sets, targets, quick=quick)
        except NotHere as reason:
            peers.missing[detector.name] = str(reason)
        print(f"{detector.name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    return peers


def _measure(
    peers: Peers,
    detector: Detector,
    child: Child,
    sets: Mapping[str, Sequence[Row]],
    targets: Sequence[tuple[Row, Span]],
    *,
    quick: bool,
) -> None:
    given: dict[str, dict[str, Any]] = {}

    def asked(text: str) -> dict[str, Any]:
        """Each text once: a second reading of the same answers costs nothing."""
        if text not in given:
            given[text] = child.ask(text)
        return given[text]

    answers = {name: [asked(row.text) for row in rows] for name, rows in sets.items()}
    readings = {detector.name: frozenset[str]()}
    if detector.without:
        readings[f"{detector.name}, tuned"] = detector.without
    for name, without in readings.items():

        def look(rows: Sequence[Row], without: frozenset[str] = without) -> list[Found]:
            return [_found(asked(row.text), without) for row in rows]

        said = {key: (rows, [_found(answer, without) for answer in answers[key]]) for key, rows in sets.items()}
        peers.found[name] = {
            "requests": requests(said),
            "spans": spans(said),
            "evasion": matrix(targets, look) if not quick else {},
            "failed": sum("failed" in answer for each in answers.values() for answer in each),
        }
    costs = peers.found[detector.name]
    costs["start"] = child.start
    costs["speed"] = by_length(lambda text: float(child.ask(text, 60)["ms"]), 20 if quick else 4)
    costs["nasty"] = {} if quick else nasty(lambda text: float(child.ask(text, LONG)["ms"]))


def _found(answer: Mapping[str, Any], without: frozenset[str]) -> Found:
    spans_ = [
        (start, end)
        for start, end, kind, score in answer["spans"]
        if not without or (kind not in without and score >= SURE)
    ]
    return Found(values=tuple(spans_), found=bool(spans_))

"""Every fact about one request, whatever fails on the way."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from typing import Any

from gateway.core.ports import Detector, Scorer, Taints, Traffic
from gateway.core.trace import Trace, ms_since
from gateway.core.types import Assessment, Request, Scan, Score, Standing, Unreadable, Zone


async def assess(
    detector: Detector,
    scorer: Scorer,
    request: Request,
    seen: dict[Any, Any],
    trace: Trace | None = None,
    *,
    taints: Taints | None = None,
    traffic: Traffic | None = None,
) -> Assessment:
    """Every fact about the request. A detector that fails makes it unreadable, a scorer that fails unscored."""
    began = time.perf_counter()
    scan = await _scan(detector, request, seen, taints)
    scored = time.perf_counter()
    try:
        score = await scorer.score(request)
    except Exception:  # noqa: BLE001 - unscored means that no permit on complexity holds: it stays
        score = Score(gain=None)
    if trace is not None:
        trace.detect_ms, trace.score_ms = (scored - began) * 1000, ms_since(scored)
    return Assessment.of(scan, score, _standing(traffic, request, score))


async def looked_again(
    detector: Detector, request: Request, assessment: Assessment, seen: dict[Any, Any], taints: Taints | None
) -> Assessment:
    """The scores as they were, and what is found now: a policy brings words and numbers of its own to look for."""
    scan = await _scan(detector, request, seen, taints)
    return replace(assessment, findings=scan.findings, unreadable=scan.unreadable, pack=scan.pack, generic=scan.generic)


async def _scan(detector: Detector, request: Request, seen: dict[Any, Any], taints: Taints | None) -> Scan:
    try:
        scan = await detector.scan(request.body, seen)
    except Exception:  # noqa: BLE001 - a detector that breaks its promise not to raise must still mean "private"
        scan = Scan(unreadable=(Unreadable("$", "detector_failed"),))
    return scan if taints is None else _joined(scan, await _recalled(taints, request))


def _standing(traffic: Traffic | None, request: Request, score: Score) -> Standing:
    if traffic is None:
        return Standing()
    try:
        return traffic.standing(request, score)
    except Exception:  # noqa: BLE001 - as with the scorer: without a standing no target holds, and it stays
        return Standing()


def told(traffic: Traffic | None, trace: Trace, zone: Zone) -> None:
    """Tell the traffic where a request goes: where it was decided for, and in the end where it went, if anywhere."""
    if traffic is not None and trace.assessment is not None:
        with suppress(Exception):  # a tenant's numbers that are a little off break no request
            traffic.went(trace.request, trace.assessment, zone, answered=trace.answered)


async def _recalled(taints: Taints, request: Request) -> Scan:
    try:
        return await taints.recall(request)
    except Exception:  # noqa: BLE001 - as with the detector: nobody knows what this request brings back
        return Scan(unreadable=(Unreadable("$", "taint_unavailable"),))


def _joined(scan: Scan, remembered: Scan) -> Scan:
    if not remembered.findings and not remembered.unreadable:
        return scan
    return replace(
        scan,
        findings=scan.findings + remembered.findings,
        unreadable=scan.unreadable + remembered.unreadable,
        generic=False,
    )

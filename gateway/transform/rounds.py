"""Replace, scan again, replace what that brought up: until nothing is left, or the request stays."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import anyio.to_thread

from gateway.core.errors import EgressDenied
from gateway.core.masking import is_value
from gateway.core.ports import Detector
from gateway.core.types import Assessment, Finding, Json, Request
from gateway.transform.note import noted
from gateway.transform.placeholders import Placeholders
from gateway.transform.replacing import Replacing

ROUNDS = 3
"""Times that something may turn up once something else is replaced."""

_TOKENS, _FINDINGS = 12_000, 200
"""More than this is replaced off the event loop: it takes some 2 ms."""


def values(findings: Iterable[Finding]) -> list[Finding]:
    """What has to be replaced. What is remembered of earlier requests stands nowhere."""
    return [each for each in findings if is_value(each)]


async def replaced(
    detector: Detector,
    request: Request,
    assessment: Assessment,
    seen: dict[Any, Any],
    placeholders: Placeholders,
    note: Callable[[str], str],
) -> tuple[Mapping[str, Json], int]:
    """The body without values, and how many were replaced. Raises EgressDenied where one is left."""
    if assessment.unreadable:
        raise EgressDenied("a part that no detector could read cannot be changed, so the request stays")
    found = values(assessment.findings)
    if not found:
        return request.body, 0
    work = Replacing(placeholders)
    body: Mapping[str, Json] = request.body
    large = assessment.tokens > _TOKENS or len(found) > _FINDINGS
    for turn in range(ROUNDS + 1):
        if large:
            body = await anyio.to_thread.run_sync(work.replace, body, found)
        else:
            body = work.replace(body, found)
        if not turn:
            body = noted(body, note(placeholders.written(next(iter(placeholders.values)))))
        scan = await detector.scan(body, seen)
        if scan.unreadable:
            raise EgressDenied("what would leave could not be scanned, so it stays")
        found = values(scan.findings)
        if not found:
            return body, work.count
    kinds = ", ".join(sorted({each.kind for each in found}))
    raise EgressDenied(f"values are left whatever is replaced ({kinds}), so the request stays")

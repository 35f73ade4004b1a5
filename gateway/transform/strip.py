"""The transform that takes values out for good: a key pasted an hour ago need not keep its chat at home for ever."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gateway.core.ports import Detector, Transformed
from gateway.core.types import Assessment, Request
from gateway.transform.note import removed
from gateway.transform.placeholders import Placeholders
from gateway.transform.restore import Untouched
from gateway.transform.rounds import replaced


class Strip:
    """Replaces every value found, everywhere in the history, by `[REMOVED_SECRET_1]`, which nothing puts back."""

    name = "strip"

    def __init__(self, detector: Detector) -> None:
        self._detector = detector

    async def apply(self, request: Request, assessment: Assessment, seen: dict[Any, Any]) -> Transformed:
        placeholders = Placeholders(tag="", prefix="REMOVED_")
        body, count = await replaced(self._detector, request, assessment, seen, placeholders, removed)
        return Transformed(replace(request, body=body) if count else request, count, Untouched())

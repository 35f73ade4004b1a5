"""The transform that lets a request out under pseudonyms: placeholders go, values stay, answers get them back.

What leaves is still personal data to whoever holds the mapping; nobody else holds it, and it is gone with the request.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gateway.core.ports import Detector, Transformed
from gateway.core.types import Assessment, Request
from gateway.transform.note import stand_for
from gateway.transform.pattern import Pattern
from gateway.transform.placeholders import Placeholders, tag_of
from gateway.transform.restore import Restore, Untouched
from gateway.transform.rounds import replaced, values


class Pseudonymise:
    """Replaces every value found by a typed placeholder, `[PERSON_1_k7f2]`, and puts it back in the answer.

    Numbers that hold a value become strings; where a number is a parameter of the API, and where a value is split over
    several texts or stands in an attachment, the request stays.
    """

    name = "pseudonymise"

    def __init__(self, detector: Detector, secret: bytes) -> None:
        """`secret` makes the tags of one conversation the same in every turn, on every replica."""
        self._detector = detector
        self._secret = secret

    async def apply(self, request: Request, assessment: Assessment, seen: dict[Any, Any]) -> Transformed:
        if not assessment.unreadable and not values(assessment.findings):
            return Transformed(request, 0, Untouched())  # most requests: there is nothing to stand for
        placeholders = Placeholders(tag_of(request, self._secret))
        body, count = await replaced(self._detector, request, assessment, seen, placeholders, stand_for)
        if not count:
            return Transformed(request, 0, Untouched())
        pattern = Pattern(placeholders.tag, placeholders.values)
        back = Restore(pattern, placeholders.values, json_content=_wants_json(request))
        return Transformed(replace(request, body=body), count, back)


def _wants_json(request: Request) -> bool:
    wanted = request.body.get("response_format")
    return isinstance(wanted, Mapping) and wanted.get("type") in ("json_object", "json_schema")

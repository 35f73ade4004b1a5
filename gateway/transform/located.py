"""Findings by the string that they stand in; those that stand where nothing can be replaced keep the request here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from gateway.core.errors import EgressDenied
from gateway.core.types import Finding, Json
from gateway.transform.places import Key, Spot, spot

_CLOSED = frozenset({"file_data", "data", "url", "file_id"})
"""Where a content part holds what is no text: nothing in there can be replaced."""


@dataclass(frozen=True, slots=True)
class Located:
    """The findings in one string, number, row of numbers or key."""

    spot: Spot
    node: Json
    """The value itself: of a number, the number."""
    findings: list[Finding]


def located(body: Mapping[str, Json], findings: Iterable[Finding]) -> dict[Key, Located]:
    """Raises EgressDenied for a finding in an attachment or split over texts, LostError for one that is nowhere."""
    found: dict[Key, Located] = {}
    split: list[Finding] = []
    for finding in findings:
        if finding.place.view == "joined":
            split.append(finding)
            continue
        where, node = spot(body, finding.place.path)
        if where.steps[-1:] and where.steps[-1] in _CLOSED and "content" in where.steps:
            raise EgressDenied("a value stands inside an attachment and cannot be replaced, so the request stays")
        found.setdefault(where.key, Located(where, node, [])).findings.append(finding)
    if not all(any(_explains(each, finding) for each in found.values()) for finding in split):
        raise EgressDenied("a value is split over several texts and cannot be replaced, so the request stays")
    return found


def _explains(found: Located, split: Finding) -> bool:
    """Whether what seems split is a whole value with another text's first or last word glued to it.

    It is then gone with the value; where it is not, the next scan says so and the request stays.
    """
    for each in found.findings:
        if each.category != split.category:
            continue
        if each.place.path == split.place.path:
            if each.place.start <= split.place.start and split.place.end <= each.place.end:
                return True
        elif not found.spot.text[: each.place.start].strip():
            return True
    return False

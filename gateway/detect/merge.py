"""Puts the findings of several detectors together: none twice, and equal values under one number."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace

from gateway.core.types import Finding, Place
from gateway.detect.tier import Span
from gateway.detect.walk import Text


class Merge:
    """What is found so far. Adding never takes away and never makes anything less sure."""

    def __init__(self, findings: Sequence[Finding], texts: Sequence[Text]) -> None:
        self._texts = {text.path: text.text for text in texts}
        self._found: list[Finding] = []
        self._starts: dict[tuple[str, str], list[tuple[int, int]]] = {}
        self._ids: dict[tuple[str, str], int] = {}
        self._last = max((finding.value_id for finding in findings), default=0)
        for finding in findings:
            self._ids.setdefault((finding.kind, self._value(finding)), finding.value_id)
            self._append(finding)

    @staticmethod
    def finding(detector: str, path: str, span: Span) -> Finding:
        return Finding(detector, span.kind, span.category, span.confidence, Place(path, span.start, span.end))

    @property
    def findings(self) -> tuple[Finding, ...]:
        return tuple(self._found)

    def add(self, findings: Iterable[Finding]) -> None:
        for finding in findings:
            index = self._around(finding)
            if index is None:
                self._append(replace(finding, value_id=self._id(finding)))
            elif self._found[index].confidence < finding.confidence:
                self._found[index] = replace(self._found[index], confidence=finding.confidence)

    def _append(self, finding: Finding) -> None:
        starts = self._starts.setdefault((finding.place.path, finding.kind), [])
        mark = (finding.place.start, len(self._found))
        starts.insert(bisect_right(starts, mark), mark)
        self._found.append(finding)

    def _around(self, finding: Finding) -> int | None:
        """The finding of the same kind inside which this one stands: the same thing, seen before."""
        place = finding.place
        starts = self._starts.get((place.path, finding.kind), [])
        at = bisect_right(starts, (place.start, len(self._found)))
        if not at:
            return None
        index = starts[at - 1][1]
        return index if self._found[index].place.end >= place.end else None

    def _id(self, finding: Finding) -> int:
        key = (finding.kind, self._value(finding))
        if key not in self._ids:
            self._last += 1
            self._ids[key] = self._last
        return self._ids[key]

    def _value(self, finding: Finding) -> str:
        """The value without case, spaces and signs. Findings that stand nowhere in a text are each their own."""
        place = finding.place
        text = self._texts.get(place.path, "")[place.start : place.end]
        return "".join(sign for sign in text.casefold() if sign.isalnum()) or f"{place.path} {place.start}"

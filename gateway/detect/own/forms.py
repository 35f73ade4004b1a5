"""Finds what matches an operator's pattern. The policy has checked that it is linear and holds a literal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from gateway.core.own_rules import OwnRule
from gateway.detect.clock import Clock
from gateway.detect.own.checksums import Check, check

_SLICE = 4000
_OVERLAP = 260
"""More than the longest match that a policy may ask for, and its border."""

# A letter or digit at the edge of a match has no other beside it.
_BEGINS = r"(?:(?<![^\W_])|(?=[\W_]))"
_ENDS = r"(?:(?![^\W_])|(?<=[\W_]))"


@dataclass(frozen=True, slots=True)
class Form:
    """One rule's pattern, compiled: at word borders, whatever the case."""

    rule: OwnRule
    pattern: re.Pattern[str]
    passes: Check | None

    @classmethod
    def of(cls, rule: OwnRule) -> Form:
        pattern = re.compile(f"{_BEGINS}(?:{rule.pattern}){_ENDS}", re.IGNORECASE)
        return cls(rule, pattern, check(rule.checksum) if rule.checksum else None)

    def find(self, text: str, clock: Clock) -> Iterator[tuple[int, int]]:
        """Slice by slice, so that a look at the clock is never far; only slices that hold a literal of the pattern."""
        lower = text.lower()
        if not self._near(lower):
            return
        done = 0
        for low in range(0, len(text), _SLICE):
            clock.check()
            # Lower case may be longer than the text; then every slice is searched.
            if len(lower) == len(text) and not self._near(lower[low : low + _SLICE + _OVERLAP]):
                continue
            position, last = max(low, done), min(len(text), low + _SLICE)
            while position < last and (match := self.pattern.search(text, position, last + _OVERLAP)):
                if match.start() >= last:
                    break
                clock.check()
                if self.passes is None or self.passes(_checked(match)):
                    done = position = max(match.end(), match.start() + 1)
                    yield match.span()
                else:
                    position = match.start() + 1

    def _near(self, lower: str) -> bool:
        return not self.rule.anchors or any(anchor in lower for anchor in self.rule.anchors)


def _checked(match: re.Match[str]) -> str:
    """What the checksum is over: what stands in the pattern's own brackets, else all of it."""
    return next((part for part in match.groups() if part is not None), match.group())

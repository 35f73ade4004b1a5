"""Knows the values that documentation prints, so that a policy can let them pass.

An address at example.com can be nobody's. The test card of a manual can be typed as somebody's, to see what a gateway
does with it, so it counts as an example only beside a word that calls it one. Either way nothing but the value itself
is let pass: what stands beside it is judged by itself.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from gateway.detect.candidate import APART, Confirmed
from gateway.detect.gate import lowered

_FICTION = re.compile(r"\+1\d{3}5550[01]\d\d")
"""North American numbers 555-0100 to 555-0199 (and 555-00xx) are set aside for fiction."""
_SAMPLE_PASSWORD = re.compile(
    r"(?i)(?:my|your|the)?[-_]?(?:pass(?:word|wd)?|pwd|pw|secret|admin|guest|changeme)\d{0,3}"
)
"""What documentation writes for a password. A real one is a secret at whatever host it stands."""
_BEFORE, _AFTER = 200, 100
"""How far from a value the word may stand that calls it an example, in characters."""
_NOT = re.compile(
    r"(?:\b(?:not?|non|nicht|kein\w{0,2}|pas|never|sin|senza|sans|ohne|without)|n[’']t)\W+(?:\w+\W+){0,2}\Z"
)
"""What stands before such a word and takes it back: "this is not a test card"."""


class Reserved:
    def __init__(self, tables: Mapping[str, Any]) -> None:
        self._values = {kind: frozenset(values) for kind, values in tables["values"].items()}
        self._ranges = {kind: re.compile(pattern) for kind, pattern in tables["ranges"].items()}
        self._suffixes = {kind: tuple(values) for kind, values in tables["suffixes"].items()}
        self._contains = {kind: tuple(values) for kind, values in tables["contains"].items()}
        self._prefixes = {kind: tuple(values) for kind, values in tables["prefixes"].items()}
        self._listed = tables["said"]

    def __call__(self, kind: str, confirmed: Confirmed, text: str) -> bool:
        """Whether what stands in `text` is an example and nobody's. Its value is as the kind's check normalised it."""
        value = confirmed.value
        return self._kept(kind, value) or (self._printed(kind, value) and self._called_so(text, confirmed))

    def _kept(self, kind: str, value: str) -> bool:
        """Set aside for examples by those who give such values out."""
        return (
            value.startswith(self._prefixes.get(kind, ("\0",)))
            or any(part in value for part in self._contains.get(kind, ()))
            or (kind == "phone" and _FICTION.fullmatch(value) is not None)
            or (kind in self._suffixes and self._at(value, self._suffixes[kind]) and _sample(kind, value))
        )

    def _printed(self, kind: str, value: str) -> bool:
        """What manuals print."""
        ranges = self._ranges.get(kind)
        return value in self._values.get(kind, ()) or (ranges is not None and ranges.fullmatch(value) is not None)

    def _called_so(self, text: str, confirmed: Confirmed) -> bool:
        before, after = text[max(0, confirmed.start - _BEFORE) : confirmed.start], text[confirmed.end :][:_AFTER]
        # What another message said, which is read along, calls nothing in this one an example.
        before, after = before.rpartition(APART)[2], after.partition(APART)[0]
        return any(
            not _NOT.search(around, 0, word.start())
            for around in (lowered(before), lowered(after))
            for word in self._said.finditer(around)
        )

    @cached_property
    def _said(self) -> re.Pattern[str]:
        words = "|".join(self._listed["words"]).replace("#", f"(?:{'|'.join(self._listed['things'])})")
        return re.compile(rf"(?<!\w)(?:{words})(?!\w)")

    @staticmethod
    def _at(value: str, suffixes: tuple[str, ...]) -> bool:
        host = re.split(r"[/?#:]", value.rpartition("@")[2].lower(), maxsplit=1)[0]
        return any(
            host == suffix or host.endswith(suffix if suffix.startswith(".") else "." + suffix) for suffix in suffixes
        )


def _sample(kind: str, value: str) -> bool:
    if kind != "credentialed_url":
        return True
    # From the first colon to the last @: whatever else stands between them is part of it, another host as well.
    password = value.partition("://")[2].rpartition("@")[0].partition(":")[2]
    return _SAMPLE_PASSWORD.fullmatch(password) is not None

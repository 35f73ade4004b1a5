"""Takes out findings that the operator has said are none: their own switchboard, a sample customer."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from gateway.core.own_rules import OwnException
from gateway.core.types import Finding
from gateway.detect.walk import Text

_DOTTED = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")
_SECRET = frozenset({"secret", "credentialed_url"})


class Exceptions:
    """By value, not by place: the same value is no finding wherever it stands."""

    def __init__(self, listed: Iterable[OwnException]) -> None:
        self._kinds: dict[str, list[frozenset[str]]] = {}
        for entry in listed:
            for value in entry.values:
                self._kinds.setdefault(_bare(value), []).append(frozenset(entry.kinds))
        self._kinds.pop("", None)

    def __bool__(self) -> bool:
        return bool(self._kinds)

    def kept(self, findings: Sequence[Finding], texts: Sequence[Text]) -> tuple[Finding, ...]:
        """All but the excepted. A finding whose value cannot be read off its place, because it is encoded, stays."""
        by_path = {text.path: text.text for text in texts}
        return tuple(finding for finding in findings if not self._excepts(finding, by_path))

    def _excepts(self, finding: Finding, texts: dict[str, str]) -> bool:
        place = finding.place
        value = _bare(texts.get(place.path, "")[place.start : place.end])
        return any(_is_for(kinds, finding) for kinds in self._kinds.get(value, ()))


def _is_for(kinds: frozenset[str], finding: Finding) -> bool:
    if kinds:
        return finding.kind in kinds or finding.category in kinds
    # That a value is harmless as a number says nothing about it as a password.
    return finding.category not in _SECRET and finding.kind not in _SECRET


def _bare(value: str) -> str:
    """The value however it is spelled. In an address marks are no spelling: 10.1.11.1 is not 10.11.1.1."""
    said = "".join(unicodedata.normalize("NFKC", value).casefold().split())
    if "@" in said or _DOTTED.fullmatch(said):
        return said
    return "".join(sign for sign in said if sign.isalnum())

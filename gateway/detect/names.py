"""The third tier: people and addresses that a tagger sees, read piece by piece so that nobody waits for a long text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from importlib import resources
from typing import Literal, Protocol, TypeAlias

from gateway.detect.clock import Clock
from gateway.detect.hits import Hit

KINDS = frozenset({"person", "postal_address"})

_PIECE = 4000
"""Characters read between two looks at the clock and the event loop."""
_CODE = re.compile(r"(\w)\1{3}|[A-Z0-9]{21}|[A-Za-z]\d[A-Za-z]\d|[A-Z]{13}|[A-Z]{5,}-(?:[A-Z]{0,3}-|\Z)")
"""What no name and no address holds: a sample, a sequence, a key."""
_LONG = re.compile(r"(?<![^\W\d_])[a-zà-ÿ]{18}")
"""No name has so long a word without a capital; an address may."""
_SEQUENCE = re.compile(r"[A-Z-]{40}")
"""A run that is no prose: what stands in it is nobody."""
_LABEL = re.compile(
    r"(?i)(?:steuer|konto|kunden|vertrags|personal|ausweis|versicherungs|sozial|id|nr|nummer|iban|bic|swift|cif|nif|nie|dni|"
    r"vat|iva|ust|siret|siren|tva|codice|fiscale|c[oó]digo|num[eé]ro|numero|number|tax|e-?mail|telefon|tel|phone|api|key|"
    r"token|url|http|json|csv|sql|[ _./:-]){2,}"
)
"""What no name is either: the label of a field."""
_GLUED = re.compile(r"[-_][A-Za-z]{1,12}(?![A-Za-z])")
_BREAK = 200
"""How far back from a piece's end a line or word may be ended instead."""

Shipped: TypeAlias = Literal["shipped"]
SHIPPED: Shipped = "shipped"


class Names(Protocol):
    """What this tier asks of a tagger."""

    @property
    def digest(self) -> str: ...

    def spans(self, text: str) -> list[tuple[int, int, str, float]]:
        """(start, end, "person" or "postal_address", confidence)."""
        ...


def shipped() -> Names | None:
    """The tagger that comes with the gateway; None where it was left out. Raises ValueError where it is damaged."""
    if not resources.files("gateway.detect").joinpath("tagger", "weights.npz").is_file():
        return None
    from gateway.detect.tagger import Tagger

    return Tagger.load()


def search(names: Names, text: str, clock: Clock) -> Iterator[list[Hit]]:
    """People and addresses in `text`, piece by piece."""
    low = 0
    while low < len(text):
        clock.check()
        high = _end(text, low)
        yield [
            Hit(
                kind,
                "person",
                sure,
                low + start,
                low + end,
                hash((kind, text[low + start : low + end])),
                detector="names",
            )
            for start, end, kind, sure in names.spans(text[low:high])
            if not _is_nobody(kind, text, low + start, low + end)
        ]
        low = high


def _is_nobody(kind: str, text: str, start: int, end: int) -> bool:
    if _CODE.search(text, start, end) or _is_label(text, start, end):
        return True
    return kind == "person" and (
        _LONG.search(text, start, end) is not None
        or any(
            run.start() < end and start < run.end() for run in _SEQUENCE.finditer(text, max(0, start - 80), end + 80)
        )
    )


def _is_label(text: str, start: int, end: int) -> bool:
    """Whether a name would be a field's, or the first half of one: "Steuer" of "Steuer-ID"."""
    rest = _GLUED.match(text, end)
    return _LABEL.fullmatch(text, start, rest.end() if rest else end) is not None


def joined(hits: list[Hit]) -> list[Hit]:
    """Hits of these kinds that overlap as one hit over both: one tier has seen the street, another its number."""
    whole: list[Hit] = []
    last: dict[str, int] = {}
    for hit in sorted(hits, key=lambda hit: (hit.start, -hit.end)):
        place = last.get(hit.kind)
        if hit.kind in KINDS and place is not None and hit.start < whole[place].end:
            other = whole[place]
            surer = hit if hit.confidence > other.confidence else other
            whole[place] = replace(surer, start=other.start, end=max(other.end, hit.end))
            continue
        last[hit.kind] = len(whole)
        whole.append(hit)
    return whole


def _end(text: str, low: int) -> int:
    """Where a piece ends: at a line's end, else between two words."""
    high = low + _PIECE
    if high >= len(text):
        return len(text)
    line = text.rfind("\n", high - _BREAK, high)
    return (line if line > low else max(text.rfind(" ", high - _BREAK, high), low + _PIECE - _BREAK)) + 1

"""A detector that reads the files in a request as well: their text goes through the detector that it wraps.

A file whose text was read to its end is no unreadable part any more. Any other stays one, with a word for why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import anyio

from gateway.core.types import Finding, Json, Place, Scan, Unreadable
from gateway.detect.attachments.extractor import Extractor
from gateway.detect.attachments.limits import Limits, Unread
from gateway.detect.attachments.parts import FilePart, file_parts, opened
from gateway.detect.worded import Around, Worded, pack_of

VIEW = "file"
_WINDOW = 40_000
_OVERLAP = 400
_CLEARED = frozenset({"file", "encoded"})
"""What the scanner says of a file's base64: true of the string, no longer of what it holds."""
_MEMO = "gateway.detect.attachments"


@dataclass(frozen=True, slots=True)
class _Known:
    """What is in one file: places in its text, no text. `reason` says why it was not read."""

    findings: tuple[Finding, ...] = ()
    reason: str = ""


class Attachments(Around):
    """`inner` with eyes for files. Close it: it keeps processes."""

    def __init__(self, inner: Worded, limits: Limits | None = None) -> None:
        super().__init__(inner)
        self._limits = limits or Limits()
        self._told = f"files 1\0{self._limits!r}"
        self._extractor = Extractor(self._limits)

    @property
    def pack(self) -> str:
        return pack_of(self._inner.pack, self._told)

    async def scan(self, document: Mapping[str, Json], seen: dict[Any, Any] | None = None) -> Scan:
        memory = {} if seen is None else seen
        scan = await self._inner.scan(document, memory)
        if any(part.reason == "file" for part in scan.unreadable):
            try:
                scan = await self._with_files(scan, list(file_parts(document)), memory)
            except Exception:  # noqa: BLE001 - whatever it is, the files were not read
                scan = replace(scan, unreadable=(*scan.unreadable, Unreadable("$", "detector_failed")))
        return replace(scan, pack=self.pack)

    async def aclose(self) -> None:
        self._extractor.close()

    async def _with_files(self, scan: Scan, parts: Sequence[FilePart], memory: dict[Any, Any]) -> Scan:
        known: dict[str, _Known] = {}
        with anyio.move_on_after(self._limits.wall_s):
            for number, part in enumerate(parts):
                known[part.path] = (
                    await self._known(part, memory) if number < self._limits.files else _Known(reason="too_large")
                )
        for part in parts:
            scan = _told(scan, part, known.get(part.path, _Known(reason="deadline")))
        return scan

    async def _known(self, part: FilePart, memory: dict[Any, Any]) -> _Known:
        data = hashlib.sha256(part.data.encode("utf-8", "surrogatepass")).digest()
        key = (_MEMO, self.pack, data, part.name)
        known = memory.get(key)
        if not isinstance(known, _Known):
            known = memory[key] = await self._read(part, memory)
        return known

    async def _read(self, part: FilePart, memory: dict[Any, Any]) -> _Known:
        try:
            kind, data = opened(part, self._limits.bytes)
            texts = await self._extractor.read(kind, data)
            return _Known(await self._scanned(part, texts, memory))
        except Unread as unread:
            return _Known(reason=unread.reason)

    async def _scanned(self, part: FilePart, texts: Sequence[str], memory: dict[Any, Any]) -> tuple[Finding, ...]:
        """Findings stand at their places in the texts put one after the other."""
        found: dict[tuple[str, int, int], Finding] = {}
        ids: dict[tuple[str, str], int] = {}
        for base, piece in _pieces(texts):
            scan = await self._inner.scan({"text": piece}, memory)
            if scan.unreadable:
                raise Unread(scan.unreadable[0].reason)
            for each in scan.findings:
                start, end = each.place.start, each.place.end
                value = "".join(sign for sign in piece[start:end].casefold() if sign.isalnum())
                place = Place(part.data_path, base + start, base + end, VIEW)
                # ids of two scans mean nothing to each other; what stands nowhere in a text is each its own
                number = ids.setdefault((each.kind, value or str(base)), len(ids) + 1)
                found.setdefault((each.kind, place.start, place.end), replace(each, place=place, value_id=number))
        return tuple(found.values())


def _pieces(texts: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Windows of a size that one scan reads within its deadline; they overlap by more than any value is long."""
    base = 0
    for text in texts:
        for start in range(0, max(1, len(text) - _OVERLAP), _WINDOW - _OVERLAP):
            yield base + start, text[start : start + _WINDOW]
        base += len(text) + 1


def _told(scan: Scan, part: FilePart, known: _Known) -> Scan:
    """`scan` with what is known of one file in the place of what the scanner made of the beginning of its base64."""
    if known.reason:
        others = tuple(each for each in scan.unreadable if each.path != part.data_path or each.reason not in _CLEARED)
        return replace(scan, unreadable=(*others, Unreadable(part.data_path, known.reason)), generic=False)
    unreadable = tuple(
        each for each in scan.unreadable if each.path not in {part.path, part.data_path} or each.reason not in _CLEARED
    )
    findings = tuple(each for each in scan.findings if each.place.path != part.data_path)
    last = max((each.value_id for each in findings), default=0)
    moved = tuple(replace(each, value_id=last + each.value_id) for each in known.findings)
    return replace(scan, findings=(*findings, *moved), unreadable=unreadable, generic=False)

"""What stands in the bytes of a PDF and in none of its objects: earlier versions, comments, other things around it."""

from __future__ import annotations

import re
from typing import Any

from gateway.detect.attachments.limits import Unread

_OBJECT = re.compile(rb"(?<![0-9])(\d{1,10})[ \t\r\n\0\f]+(\d{1,5})[ \t\r\n\0\f]+obj\b")
_SPACE = b" \t\r\n\0\f"
_END = b"%%EOF"
_STRUCTURE = re.compile(
    rb"xref[\s\dnf]*|startxref\s*\d*|%%EOF|trailer|endobj|/ID\s*\[[^\]]{0,200}\]|/[A-Za-z]\w*"
    rb"|\d+ \d+ R\b|(?<!\w)\d{1,10}(?!\w)|[<>\[\]]"
)
_WORDS = re.compile(rb"[\x20-\x7e\xa0-\xff]*[A-Za-z0-9]{3}[\x20-\x7e\xa0-\xff]*")
_BINARY = re.compile(rb"%[\x80-\xff]{4,8}(?=[\r\n]|$)")
"""The comment by which a PDF tells that it is no text."""


def check_bytes(reader: Any, data: bytes) -> None:
    """Raise Unread for an object that the table of objects does not know: it belongs to an earlier version."""
    if not data.startswith(b"%PDF-"):
        raise Unread("malformed")
    end = data.rfind(_END)
    if end < 0 or data[end + len(_END) :].strip(_SPACE):
        raise Unread("hidden_content")
    known = {(number, int(offset)) for table in reader.xref.values() for number, offset in table.items()}
    for found in _OBJECT.finditer(data):
        begin = found.start()
        while begin > 0 and (int(found[1]), begin) not in known and data[begin - 1 : begin] in _SPACE:
            begin -= 1  # some writers let the table point at the line's end before
        if (int(found[1]), begin) not in known:
            raise Unread("hidden_content")
    _check_packed(reader)


def _check_packed(reader: Any) -> None:
    """The same for objects that are packed together in streams."""
    from pypdf.generic import IndirectObject

    places = reader.xref_objStm
    for generation, table in reader.xref.items():
        for number in table:
            packed = reader.get_object(IndirectObject(number, generation, reader))
            if not isinstance(packed, dict) or packed.get("/Type") != "/ObjStm":
                continue
            numbers = packed.get_data()[: int(packed["/First"])].split()[0::2]  # type: ignore[attr-defined]
            if any(places.get(int(each), (None,))[0] != number for each in numbers):
                raise Unread("hidden_content")


def outside(data: bytes) -> str:
    """Words that stand between the objects."""
    gaps: list[bytes] = []
    begin = 0
    starts = [found.span() for found in _OBJECT.finditer(data)]
    for (_, after), following in zip(starts, [*(first for first, _ in starts[1:]), len(data)], strict=True):
        end = data.rfind(b"endobj", after, following)
        gaps.append(data[end + 6 if end >= 0 else following : following])
    if starts:
        gaps.insert(0, data[begin : starts[0][0]])
    left: list[str] = []
    for gap in gaps:
        rest = _STRUCTURE.sub(b" ", _BINARY.sub(b"", re.sub(rb"^%PDF-\d\.\d", b"", gap)))
        left += [words.decode("latin-1") for words in _WORDS.findall(rest)]
    return "\n".join(left)

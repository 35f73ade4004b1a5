"""Every object of a PDF: the strings in it, the streams that hold text, and a refusal of what cannot be read."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gateway.detect.attachments.limits import Unread
from gateway.detect.attachments.pdf_fonts import check_font

_TINY = 32
"""Pixels: dots, rules and corners. Nothing can be read in a picture that is no higher and no wider."""
_SILENT = frozenset({"/ID", "/CheckSum", "/Panose", "/Lang", "/W", "/W2", "/DA", "/Registry", "/Ordering", "/O", "/U"})
_BINARY = frozenset(
    {"/ToUnicode", "/FontFile", "/FontFile2", "/FontFile3", "/CIDToGIDMap", "/CIDSet", "/DestOutputProfile"}
)
_PROPERTIES = frozenset(
    {"/Author", "/Creator", "/Producer", "/Title", "/Subject", "/Keywords", "/CreationDate", "/ModDate", "/Trapped"}
)
_DATE = re.compile(r"D:\d{4,14}[Z+\-'\d]*")
_TEXT = frozenset({"/Metadata", "/JS", "/XFA"})


def is_tiny(picture: Mapping[str, Any]) -> bool:
    width, height = picture.get("/Width"), picture.get("/Height")
    return isinstance(width, int) and isinstance(height, int) and 0 <= width <= _TINY and 0 <= height <= _TINY


class Inventory:
    """Walks from the trailer, and then over whatever else the table of objects names. Raises Unread."""

    def __init__(self, reader: Any, at_most: int) -> None:
        self.said: list[str] = []
        """Strings: properties, bookmarks, fields, notes, addresses, scripts."""
        self.texts: list[str] = []
        """Streams of text: XMP, scripts, XFA."""
        self.forms: list[Any] = []
        """Streams that draw: they are read like a page."""
        self._reader = reader
        self._left = at_most
        self._known: set[int] = set()
        self._contents = _contents(reader)
        info = reader.trailer.get("/Info")
        if isinstance(properties := getattr(info, "get_object", lambda: None)(), dict):
            self.said.extend(str(key)[1:] for key in properties if key not in _PROPERTIES)
        self._walk(reader.trailer, "")
        for generation, table in reader.xref.items():
            for number in table:
                self._orphan(number, generation)
        for number in reader.xref_objStm:
            self._orphan(number, 0)

    def _orphan(self, number: int, generation: int) -> None:
        from pypdf.generic import IndirectObject

        if number not in self._known and number:
            self._walk(IndirectObject(number, generation, self._reader), "")

    def _walk(self, root: Any, key: str) -> None:
        from pypdf.generic import IndirectObject

        waiting: list[tuple[Any, str, int]] = [(root, key, 0)]
        while waiting:
            item, key, number = waiting.pop()
            self._left -= 1
            if self._left < 0:
                raise Unread("too_large")
            if isinstance(item, IndirectObject):
                if item.idnum not in self._known:
                    self._known.add(item.idnum)
                    waiting.append((item.get_object(), key, item.idnum))
            elif isinstance(item, dict):
                waiting.extend(self._dictionary(item, key, number))
            elif isinstance(item, list):
                if item and item[0] == "/Indexed":
                    self._left -= len(item)
                    continue  # a table of colours
                waiting.extend((each, key, 0) for each in item)
            else:
                self._say(item)

    def _dictionary(self, item: dict[str, Any], key: str, number: int) -> list[tuple[Any, str, int]]:
        from pypdf.generic import StreamObject

        if "/EF" in item or "/EmbeddedFiles" in item or item.get("/Type") == "/EmbeddedFile":
            raise Unread("embedded_file")
        if isinstance(item, StreamObject):
            self._stream(item, key, number)
        if item.get("/Type") == "/Font" or "/BaseFont" in item:
            check_font(item)
        title, value = string(item.get("/T")), string(item.get("/V"))
        if title and value:
            self.said.append(f"{title}: {value}")  # a field's name is what its value means
            item = {name: each for name, each in item.items() if name not in {"/T", "/V"}}
        if item.get("/Type") == "/Sig":
            item = {name: value for name, value in item.items() if name not in {"/Contents", "/Cert"}}
        glyphs = key == "/CharProcs"
        # raw: a reference must be counted before it is followed
        return [
            (dict.__getitem__(item, name), key if glyphs else name, 0)
            for name in item
            if name not in _SILENT and name != "/Parent"
        ]

    def _stream(self, stream: Any, key: str, number: int) -> None:
        kind, subtype = stream.get("/Type"), stream.get("/Subtype")
        if subtype == "/Image" or key == "/Thumb":
            if not is_tiny(stream):
                raise Unread("image")
        elif subtype == "/Form" or "/PatternType" in stream:
            self.forms.append(stream)
        elif key in _TEXT or kind == "/Metadata":
            self.texts.append(re.sub(r"\s{3,}", "\n", stream.get_data().decode("utf-8", "replace")))
        elif number in self._contents or key in _BINARY or key == "/CharProcs" or kind in {"/ObjStm", "/XRef", "/CMap"}:
            return
        elif not ("/FunctionType" in stream or "/ShadingType" in stream or "/HalftoneType" in stream):
            self._unnamed(stream, key)

    def _unnamed(self, stream: Any, key: str) -> None:
        """Colour profiles say what they are themselves; the hints of a linearised file are named by their offset."""
        data = stream.get_data()
        if data[36:40] == b"acsp" or (not key and "/S" in stream and self._linearised()):
            return
        raise Unread("hidden_content")

    def _linearised(self) -> bool:
        self._reader.stream.seek(0)
        return b"/Linearized" in self._reader.stream.read(1024)

    def _say(self, item: Any) -> None:
        text = string(item)
        if len(text) > 2 and not _DATE.fullmatch(text):
            self.said.append(text)


def string(item: Any) -> str:
    """The words of a string object; '' for names, which are strings too, for numbers and for bytes of other kinds."""
    if isinstance(item, bytes):
        text = item.decode("utf-16" if item.startswith((b"\xfe\xff", b"\xff\xfe")) else "latin-1", "replace")
        return text if text.replace("\n", "").replace("\r", "").replace("\t", "").isprintable() else ""
    return item if isinstance(item, str) and item[:1] != "/" else ""


def _contents(reader: Any) -> set[int]:
    """Numbers of the streams that hold what the pages draw."""
    from pypdf.generic import IndirectObject

    numbers: set[int] = set()
    for page in reader.pages:
        raw = dict.get(page, "/Contents")
        if isinstance(raw, IndirectObject):
            numbers.add(raw.idnum)
            raw = raw.get_object()
        if isinstance(raw, list):
            numbers.update(each.idnum for each in raw if isinstance(each, IndirectObject))
    return numbers

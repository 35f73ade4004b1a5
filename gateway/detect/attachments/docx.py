"""Word documents: the words of every XML part, hidden and deleted ones, comments and properties among them."""

from __future__ import annotations

import html
import io
import re
import zipfile

from gateway.detect.attachments.limits import Limits, Unread

_UNPACKED = 60_000_000
_MEMBERS = 2000
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".emf", ".wmf", ".svg", ".webp", ".wdp", ".ico")
_FONTS = (".odttf", ".ttf", ".otf", ".fntdata")
_BREAK = re.compile(r"</w:p>|<w:(?:br|cr)\b[^<>]*>|</[a-z]+:(?:lpwstr|p)>")
_TAB = re.compile(r"<w:tab\b[^<>]*>|</w:tc>|</[A-Za-z:]+>(?=<(?:dc|cp|vt|Company|Manager)\b)")
_SAID = re.compile(r'\b(?:[a-z]+:)?(?:descr|title|author|alt|Target|tag|alias|name|instr)="([^"<>]{3,})"')
_TAG = re.compile(r"<[^<>]*>")


def read_docx(data: bytes, limits: Limits) -> list[str]:
    """Raises Unread for a document with pictures, embedded files, a password, or a shape that is not Word's."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _read(archive, data, limits)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, ValueError, OSError):
        raise Unread("malformed") from None


def _read(archive: zipfile.ZipFile, data: bytes, limits: Limits) -> list[str]:
    members = archive.infolist()
    names = [member.filename for member in members]
    if "word/document.xml" not in names:
        raise Unread("malformed")
    if not data.startswith(b"PK\x03\x04") or len(set(names)) != len(names) or archive.comment:
        raise Unread("hidden_content")
    if len(members) > _MEMBERS or sum(member.file_size for member in members) > _UNPACKED:
        raise Unread("too_large")
    texts: list[str] = []
    for member in members:
        if member.flag_bits & 1:
            raise Unread("encrypted")
        if not member.is_dir() and _is_xml(member.filename):
            texts.append(_words(archive.read(member)))  # zipfile stops at the size that it declared
        if sum(map(len, texts)) > limits.characters:
            raise Unread("too_large")
    return [text for text in texts if text.strip()]


def _is_xml(name: str) -> bool:
    lower = name.lower()
    if lower.endswith(_PICTURES):
        raise Unread("image")
    if lower.endswith((".xml", ".rels")):
        return lower != "[content_types].xml"
    if lower.endswith(_FONTS):
        return False
    raise Unread("embedded_file")


def _words(data: bytes) -> str:
    try:
        xml = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unread("malformed") from None
    if "<!" in xml:  # entities and CDATA: Word writes neither
        raise Unread("malformed")
    said = [html.unescape(value) for value in _SAID.findall(xml)]
    words = html.unescape(_TAG.sub("", _TAB.sub("\t", _BREAK.sub("\n", xml))))
    return "\n".join([words, *(value for value in said if not value.startswith("http://schemas."))])

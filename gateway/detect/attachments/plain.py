"""Text files: characters as they stand, and of markup the words between the tags as well."""

from __future__ import annotations

import html
import re
import unicodedata

from gateway.detect.attachments.limits import Unread

_OTHERS = (b"%PDF-", b"%!PS", b"{\\rtf", b"PK\x03\x04", b"\x89PNG", b"GIF8", b"\xff\xd8\xff", b"RIFF", b"\x1f\x8b")
"""What opens a file of another type. A reader that looks for these does so near the beginning."""
_HEAD = 1024
_EMBEDDED = re.compile(r"data:\s*[\w.+-]+/[\w.+-]+[^,\s]{0,100};\s*base64\s*,", re.IGNORECASE)
_ENCODED = re.compile(r"content-transfer-encoding:\s*(?:base64|quoted-printable)|^begin [0-7]{3} \S", re.I | re.M)
_BLOCK = re.compile(
    r"<(?:/?(?:p|div|br|tr|li|ul|ol|table|h[1-6]|section|article|header|footer|pre|blockquote|body|head|title|td|th)\b"
    r"[^<>]{0,2000}|!--|--)>?",
    re.IGNORECASE,
)
_TAG = re.compile(r"<[^<>]{0,20000}>")
_KEPT = frozenset("\t\n\r\f\v")


def read_text(data: bytes, *, markup: bool = False) -> list[str]:
    """The texts of a file. Raises Unread for what is another type in disguise or holds something encoded."""
    if any(sign in data[:_HEAD] for sign in _OTHERS):
        raise Unread("file")
    text = _decoded(data)
    if any(sign not in _KEPT and unicodedata.category(sign) == "Cc" for sign in set(text)):
        raise Unread("malformed")
    if _EMBEDDED.search(text) or _ENCODED.search(text):
        raise Unread("embedded_file")
    if not markup:
        return [text]
    return [text, html.unescape(_TAG.sub("", _BLOCK.sub("\n", text)))]


def _decoded(data: bytes) -> str:
    encodings = ["utf-16"] if data.startswith((b"\xff\xfe", b"\xfe\xff")) else ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Unread("malformed")

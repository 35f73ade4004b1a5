"""Whether a PDF's font says which characters its glyphs are: without that, what is drawn cannot be read."""

from __future__ import annotations

import re
from typing import Any

from gateway.detect.attachments.limits import Unread

_STANDARD = (
    "Courier", "Helvetica", "Times", "Arial", "CourierNew", "TimesNewRoman", "Symbol", "ZapfDingbats"
)  # fmt: skip
_ENCODINGS = frozenset({"/WinAnsiEncoding", "/MacRomanEncoding", "/StandardEncoding", "/PDFDocEncoding"})
_UNICODE = re.compile(r"/(?:uni[0-9A-F]{4}|u[0-9A-F]{4,6})(?:\..*)?")


def check_font(font: dict[str, Any]) -> None:
    """Raise Unread for glyphs without a meaning."""
    subtype = font.get("/Subtype")
    if "/ToUnicode" in font or subtype in {"/CIDFontType0", "/CIDFontType2"}:  # the latter are described by their owner
        return
    encoding: Any = font.get("/Encoding")
    if encoding is not None:
        encoding = encoding.get_object()
    if subtype == "/Type0":
        if not str(encoding).startswith("/Uni"):
            raise Unread("font")
    elif isinstance(encoding, dict):
        _check_names(encoding)
    elif encoding not in _ENCODINGS and not _is_standard(font):
        raise Unread("font")


def _is_standard(font: dict[str, Any]) -> bool:
    descriptor = font.get("/FontDescriptor")
    embedded = descriptor is not None and any(
        name in descriptor.get_object() for name in ("/FontFile", "/FontFile2", "/FontFile3")
    )
    return not embedded and str(font.get("/BaseFont", ""))[1:].startswith(_STANDARD)


def _check_names(encoding: dict[str, Any]) -> None:
    from pypdf._codecs.adobe_glyphs import adobe_glyphs

    for name in encoding.get("/Differences", []):
        if isinstance(name, str) and name != "/.notdef" and name not in adobe_glyphs and not _UNICODE.fullmatch(name):
            raise Unread("font")

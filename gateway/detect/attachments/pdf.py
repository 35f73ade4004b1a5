"""PDF files: the words of the pages, and all that a reader does not show and a program finds.

What is not understood is not passed over: a picture, a font that does not say what its glyphs mean, an embedded file,
a leftover of an earlier version, a stream of unknown purpose leave the file unread.
"""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Iterator
from typing import Any

from gateway.detect.attachments.limits import Limits, Unread
from gateway.detect.attachments.pdf_bytes import check_bytes, outside
from gateway.detect.attachments.pdf_objects import Inventory, is_tiny, string

_PAINTING = frozenset({b"f", b"F", b"f*", b"S", b"s", b"B", b"B*", b"b", b"b*", b"sh", b"Do"})
_MARKED = frozenset({b"BDC", b"DP"})


def read_pdf(data: bytes, limits: Limits) -> list[str]:
    """The texts of a PDF. Raises Unread."""
    from pypdf import PdfReader
    from pypdf.errors import LimitReachedError

    try:
        reader = PdfReader(io.BytesIO(data))
        if reader.is_encrypted:
            raise Unread("encrypted")
        if len(reader.pages) > limits.pages:
            raise Unread("too_large")
        return _texts(reader, data, limits)
    except (Unread, MemoryError):
        raise
    except (LimitReachedError, RecursionError):
        raise Unread("too_large") from None
    except Exception:  # noqa: BLE001 - whatever it chokes on, the file was not read to its end
        raise Unread("malformed") from None


def _texts(reader: Any, data: bytes, limits: Limits) -> list[str]:
    check_bytes(reader, data)
    inventory = Inventory(reader, limits.objects)
    pages: list[str] = []
    total = 0
    for text in _pages(reader):
        pages.append(text)
        total += len(text)
        if total > limits.characters:
            raise Unread("too_large")
    shown = "\n".join(pages)
    if not shown.strip():
        raise Unread("no_text")
    _check_readable(shown)
    # a form is part of a page, of an annotation, or of nothing: what the pages said already is not said again
    drawn = [text for form in inventory.forms if (text := _form(reader.pages[0], form)).strip() not in shown]
    texts = [shown, "\n".join(drawn), "\n".join(inventory.said), *inventory.texts, outside(data)]
    if sum(map(len, texts)) > limits.characters:
        raise Unread("too_large")
    return [text for text in texts if text.strip()]


def _pages(reader: Any) -> Iterator[str]:
    for page in reader.pages:
        look = _Look()
        text = page.extract_text(visitor_operand_before=look)
        if look.paints and not text.strip():
            raise Unread("no_text")  # drawn letters, it may be
        yield "\n".join([text, *look.said])


def _form(page: Any, form: Any) -> str:
    look = _Look()
    text = page.extract_xform_text(form, visitor_operand_before=look)
    return "\n".join([str(text), *look.said])


class _Look:
    """Told of every operation of a page: what marked content says besides its text, and whether anything is drawn."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.paints = False

    def __call__(self, operator: bytes, operands: Any, _cm: Any, _tm: Any) -> None:
        if operator in _PAINTING:
            self.paints = True
        elif operator in _MARKED:
            entries = [operand for operand in operands if isinstance(operand, dict)]
            self.said.extend(filter(None, (string(value) for entry in entries for value in entry.values())))
        elif operator == b"INLINE IMAGE" and not is_tiny(_inline(operands)):
            raise Unread("image")


def _inline(operands: Any) -> dict[str, Any]:
    settings = operands.get("settings", {}) if isinstance(operands, dict) else {}
    return {
        "/Width": settings.get("/W", settings.get("/Width")),
        "/Height": settings.get("/H", settings.get("/Height")),
    }


def _check_readable(text: str) -> None:
    """Glyphs without a meaning come out as replacement, control and private-use characters."""
    odd = sum(unicodedata.category(sign) in {"Cc", "Co", "Cn"} and sign not in "\t\n\r\f" for sign in text)
    if (odd + text.count("\ufffd")) * 100 > len(text):
        raise Unread("font")

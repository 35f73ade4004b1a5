"""Which words of a PDF are read, and which files stay unread: each of them here is written by hand."""

from __future__ import annotations

import zlib
from typing import Any

import pytest

from gateway.detect.attachments.limits import Limits, Unread
from gateway.detect.attachments.pdf import read_pdf

LIMITS = Limits()


def reason(data: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(Unread) as caught:
        read_pdf(data, limits)
    return caught.value.reason


def words(data: bytes) -> str:
    return "\n".join(read_pdf(data, LIMITS))


def test_the_words_of_the_pages_are_read(tools: Any) -> None:
    assert "Nothing to hide here" in words(tools.make_pdf())


def test_compressed_pages_are_read(tools: Any) -> None:
    assert tools.iban in words(tools.make_pdf(tools.packed(tools.shown(tools.iban).encode())))


def hidden(tools: Any) -> dict[str, bytes]:
    """The planted number, each time somewhere that a reader does not show on the page."""
    make, iban = tools.make_pdf, tools.iban
    filed = f"/AcroForm << /Fields [5 0 R] /DR << {tools.font} >> >>"
    form = tools.stream(
        tools.shown(iban), f"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << {tools.font} >>"
    )
    xmp = f"<x:xmpmeta><dc:description>{iban}</dc:description></x:xmpmeta>"
    return {
        "white text": make(f"1 1 1 rg {tools.shown('x')} {tools.shown(iban)}"),
        "text off the page": make(f"{tools.shown('x')} BT /F1 12 Tf 9999 9999 Td ({iban}) Tj ET"),
        "invisible text": make(f"{tools.shown('x')} BT /F1 12 Tf 3 Tr ({iban}) Tj ET"),
        "the words of a drawing": make(f"{tools.shown('x')} /Span << /ActualText ({iban}) >> BDC EMC"),
        "a property": make(trailer="/Info 5 0 R", more=[f"<< /Author ({iban}) >>".encode()]),
        "the name of a property": make(trailer="/Info 5 0 R", more=[f"<< /{iban} (x) >>".encode()]),
        "XMP": make(catalogue="/Metadata 5 0 R", more=[tools.stream(xmp, "/Type /Metadata /Subtype /XML")]),
        "a note": make(page="/Annots [5 0 R]", more=[f"<< /Type /Annot /Subtype /Text /Contents ({iban}) >>".encode()]),
        "an address": make(
            page="/Annots [5 0 R]", more=[f"<< /Subtype /Link /A << /S /URI /URI (http://x.org/{iban}) >> >>".encode()]
        ),
        "a note's picture": make(
            page="/Annots [5 0 R]", more=[b"<< /Type /Annot /Subtype /Stamp /AP << /N 6 0 R >> >>", form]
        ),
        "a field": make(catalogue=filed, more=[f"<< /FT /Tx /T (account) /V ({iban}) >>".encode()]),
        "a field in UTF-16": make(
            catalogue=filed,
            more=[f"<< /FT /Tx /T (a) /V <feff{iban.encode('utf-16-be').hex()}> >>".encode()],
        ),
        "a bookmark": make(catalogue="/Outlines 5 0 R", more=[f"<< /First << /Title ({iban}) >> >>".encode()]),
        "a script": make(catalogue=f"/OpenAction << /S /JavaScript /JS (app.alert('{iban}')) >>"),
        "a script in a stream": make(
            catalogue="/OpenAction << /S /JavaScript /JS 5 0 R >>", more=[tools.stream(f"app.alert('{iban}')")]
        ),
        "a layer's name": make(catalogue=f"/OCProperties << /OCGs [<< /Type /OCG /Name ({iban}) >>] >>"),
        "a picture's description": make(catalogue=f"/StructTreeRoot << /K << /S /Figure /Alt ({iban}) >> >>"),
        "XFA": make(catalogue="/AcroForm << /XFA 5 0 R >>", more=[tools.stream(f"<xdp><v>{iban}</v></xdp>")]),
        "an object that nothing refers to": make(more=[f"<< /Left ({iban}) >>".encode()]),
        "a form that nothing draws": make(more=[form]),
        "a comment between objects": make().replace(b"endobj\nxref", f"endobj\n% {iban}\nxref".encode()),
    }


HIDING = [
    "white text", "text off the page", "invisible text", "the words of a drawing", "a property",
    "the name of a property", "XMP", "a note", "an address", "a note's picture", "a field", "a field in UTF-16",
    "a bookmark", "a script", "a script in a stream", "a layer's name", "a picture's description", "XFA",
    "an object that nothing refers to", "a form that nothing draws", "a comment between objects",
]  # fmt: skip


def test_every_hiding_place_is_tried(tools: Any) -> None:
    assert set(hidden(tools)) == set(HIDING)


@pytest.mark.parametrize("place", HIDING)
def test_what_no_page_shows_is_read_as_well(place: str, tools: Any) -> None:
    assert tools.iban in words(hidden(tools)[place])


def test_a_fields_name_stands_before_its_value(tools: Any) -> None:
    data = tools.make_pdf(catalogue="/AcroForm << /Fields [<< /FT /Tx /T (diagnosis) /V (something) >>] >>")
    assert "diagnosis: something" in words(data)


def unread(tools: Any) -> dict[str, tuple[bytes, str]]:
    make, stream, x = tools.make_pdf, tools.stream, tools.shown("x")
    picture = stream(b"\0" * 100, "/Subtype /Image /Width 100 /Height 100 /ColorSpace /DeviceGray /BitsPerComponent 8")
    type0 = "/Font << /F1 << /Type /Font /Subtype /Type0 /BaseFont /Odd /Encoding /Identity-H >> >>"
    glyphs = (
        "/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /AAAAAA+Odd "
        "/Encoding << /Differences [65 /g1 /g2] >> >> >>"
    )
    good = make()
    older = make(tools.shown("an earlier version"))
    return {
        "a scanned page": (
            make("q 612 0 0 792 0 0 cm /I Do Q", resources="/XObject << /I 5 0 R >>", more=[picture]),
            "image",
        ),
        "a picture beside words": (
            make(f"{x} /I Do", resources=f"{tools.font} /XObject << /I 5 0 R >>", more=[picture]),
            "image",
        ),
        "a picture in the page's own stream": (
            make(f"{x} BI /W 64 /H 64 /BPC 1 /CS /G ID " + "\0" * 512 + " EI"),
            "image",
        ),
        "drawn letters": (make("0 0 m 10 10 l S"), "no_text"),
        "an empty page": (make(""), "no_text"),
        "glyphs without a meaning": (make(x, resources=type0), "font"),
        "glyphs with invented names": (make(x, resources=glyphs), "font"),
        "an embedded file": (
            make(
                catalogue="/Names << /EmbeddedFiles << /Names [(a) << /EF << /F 5 0 R >> >>] >> >>",
                more=[stream("text", "/Type /EmbeddedFile")],
            ),
            "embedded_file",
        ),
        "an attached file that nothing names": (make(more=[stream("text", "/Type /EmbeddedFile")]), "embedded_file"),
        "a stream of unknown purpose": (make(more=[stream("who knows")]), "hidden_content"),
        "a password": (
            make(trailer="/Encrypt << /Filter /Standard /V 1 /R 2 /O <00> /U <00> /P -4 >> /ID [<00> <00>]"),
            "encrypted",
        ),
        "an earlier version of itself": (older[: older.rindex(b"xref\n0")] + good[9:], "hidden_content"),
        "something after its end": (good + b"PK\x03\x04 more", "hidden_content"),
        "something before its beginning": (b"hello\n" + good, "malformed"),
        "half of it": (good[: len(good) // 2], "malformed"),
        "its end cut off": (good[: good.rindex(b"startxref")], "malformed"),
        "no PDF": (b"%PDF-1.7\nhello", "malformed"),
        "nothing": (b"", "malformed"),
        "pages that go round in a circle": (
            tools.written([b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [2 0 R] /Count 1 >>"]),
            "malformed",
        ),
    }


UNREAD = [
    "a scanned page", "a picture beside words", "a picture in the page's own stream", "drawn letters", "an empty page",
    "glyphs without a meaning", "glyphs with invented names", "an embedded file", "an attached file that nothing names",
    "a stream of unknown purpose", "a password", "an earlier version of itself", "something after its end",
    "something before its beginning", "half of it", "its end cut off", "no PDF", "nothing",
    "pages that go round in a circle",
]  # fmt: skip


def test_every_unread_file_is_tried(tools: Any) -> None:
    assert set(unread(tools)) == set(UNREAD)


@pytest.mark.parametrize("case", UNREAD)
def test_what_cannot_be_read_whole_stays_unread_and_says_why(case: str, tools: Any) -> None:
    data, why = unread(tools)[case]
    assert reason(data) == why


def test_dots_and_rules_are_no_pictures_to_read(tools: Any) -> None:
    dot = tools.stream(b"\0", "/Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8")
    data = tools.make_pdf(
        f"{tools.shown('words')} /I Do", resources=f"{tools.font} /XObject << /I 5 0 R >>", more=[dot]
    )
    assert "words" in words(data)


def test_a_bomb_is_too_large(tools: Any) -> None:
    bomb = zlib.compress(b" " * 200_000_000, 9)
    twice = zlib.compress(bomb, 9)
    data = tools.make_pdf(tools.stream(twice, "/Filter [/FlateDecode /FlateDecode]"))
    assert len(data) < 10_000
    assert reason(data) in {"too_large", "malformed"}


@pytest.mark.parametrize(
    ("limits", "why"),
    [
        pytest.param(Limits(pages=0), "too_large", id="pages"),
        pytest.param(Limits(characters=5), "too_large", id="characters"),
        pytest.param(Limits(objects=3), "too_large", id="objects"),
    ],
)
def test_each_limit_holds(limits: Limits, why: str, tools: Any) -> None:
    assert reason(tools.make_pdf(), limits) == why


def test_forms_that_draw_each_other_are_each_read(tools: Any) -> None:
    def form(number: int, draws: int) -> bytes:
        resources = f"<< {tools.font} /XObject << /X {draws} 0 R >> >>"
        entries = f"/Subtype /Form /BBox [0 0 1 1] /Resources {resources}"
        return tools.stream(f"/X Do {tools.shown(f'word{number}')}", entries)

    data = tools.make_pdf(
        f"{tools.shown('x')} /X Do",
        resources=f"{tools.font} /XObject << /X 5 0 R >>",
        more=[form(5, 6), form(6, 7), form(7, 5)],  # the last one draws the first
    )
    assert {"word5", "word6", "word7"} <= set(words(data).split())

"""Word documents, put together by hand."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest

from gateway.detect.attachments.docx import read_docx
from gateway.detect.attachments.limits import Limits, Unread

IBAN = "DE89370400440532013000"
CORE = '<cp:coreProperties xmlns:dc="x"><dc:creator>{}</dc:creator></cp:coreProperties>'


def make(
    document: str = "<w:p><w:r><w:t>Hello</w:t></w:r></w:p>", comment: bytes = b"", **members: str | bytes
) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", f"<w:document><w:body>{document}</w:body></w:document>")
        for name, content in members.items():
            archive.writestr(name, content)
        archive.comment = comment
    return out.getvalue()


def words(data: bytes) -> str:
    return "\n".join(read_docx(data, Limits()))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(make(f"<w:p><w:r><w:t>{IBAN}</w:t></w:r></w:p>"), id="a paragraph"),
        pytest.param(
            make(f"<w:p><w:r><w:t>{IBAN[:5]}</w:t></w:r><w:r><w:rPr/><w:t>{IBAN[5:]}</w:t></w:r></w:p>"),
            id="cut into runs",
        ),
        pytest.param(make(f"<w:p><w:del><w:r><w:delText>{IBAN}</w:delText></w:r></w:del></w:p>"), id="deleted"),
        pytest.param(make(f'<w:p><w:drawing><wp:docPr descr="{IBAN}"/></w:drawing></w:p>'), id="a description"),
        pytest.param(make(**{"word/comments.xml": f"<w:comment><w:t>{IBAN}</w:t></w:comment>"}), id="a comment"),
        pytest.param(make(**{"word/header1.xml": f"<w:hdr><w:t>{IBAN}</w:t></w:hdr>"}), id="a header"),
        pytest.param(make(**{"docProps/core.xml": CORE.format(IBAN)}), id="a property"),
        pytest.param(make(**{"customXml/item1.xml": f"<a>{IBAN}</a>"}), id="data of an add-in"),
        pytest.param(
            make(**{"word/_rels/document.xml.rels": f'<Relationship Target="https://x.org/{IBAN}"/>'}), id="an address"
        ),
    ],
)
def test_words_are_read_wherever_they_stand(data: bytes) -> None:
    assert IBAN in words(data)


def test_paragraphs_and_cells_stay_apart() -> None:
    cells = "".join(f"<w:tc><w:p><w:r><w:t>{cell}</w:t></w:r></w:p></w:tc>" for cell in ("one", "two"))
    assert words(make(f"<w:tbl><w:tr>{cells}</w:tr></w:tbl>")).split() == ["one", "two"]


def encrypted() -> bytes:
    data = bytearray(make())
    at = data.rindex(b"PK\x01\x02")  # the last entry of the table of contents is word/document.xml
    data[at + 8] |= 1
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        pytest.param(make(**{"word/media/image1.png": b"png"}), "image", id="a picture"),
        pytest.param(make(**{"word/embeddings/oleObject1.bin": b"ole"}), "embedded_file", id="an embedded object"),
        pytest.param(make(**{"word/vbaProject.bin": b"vba"}), "embedded_file", id="macros"),
        pytest.param(make("<!DOCTYPE a [<!ENTITY b 'c'>]>"), "malformed", id="entities"),
        pytest.param(make(**{"word/a.xml": b"\xff\xfe\0"}), "malformed", id="no UTF-8"),
        pytest.param(make(comment=b"hello"), "hidden_content", id="the archive's own comment"),
        pytest.param(b"PK" + make(), "hidden_content", id="something in front"),
        pytest.param(make(**{"word/bomb.xml": b" " * 61_000_000}), "too_large", id="a bomb"),
        pytest.param(make("x" * 600_000), "too_large", id="too many words"),
        pytest.param(make()[:-30], "malformed", id="cut off"),
        pytest.param(encrypted(), "encrypted", id="a password"),
        pytest.param(b"hello", "malformed", id="no archive"),
    ],
)
def test_what_cannot_be_read_whole_stays_unread(data: bytes, reason: str) -> None:
    with pytest.raises(Unread) as caught:
        read_docx(data, Limits())
    assert caught.value.reason == reason


@pytest.mark.anyio
async def test_a_document_in_a_request_is_read(attachments: Any, tools: Any) -> None:
    scan = await attachments.scan(tools.request(make(f"<w:p><w:t>Pay {IBAN}</w:t></w:p>"), "a.docx"))
    assert [finding.kind for finding in scan.findings] == ["iban"]
    assert scan.unreadable == ()

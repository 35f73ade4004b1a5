"""Files in requests: what is found in them, what clears them, what they may cost."""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import pytest

from gateway.core.types import Scan, Unreadable
from gateway.detect import Scanner
from gateway.detect.attachments import Attachments, Limits

pytestmark = pytest.mark.anyio

DATA = "$.messages[0].content[1].file.file_data"
PART = "$.messages[0].content[1]"


def kinds(scan: Scan) -> set[str]:
    return {finding.kind for finding in scan.findings}


def why(scan: Scan) -> str:
    """The word for the file; the part itself must be unread as well."""
    assert Unreadable(PART, "file") in scan.unreadable
    (reason,) = {part.reason for part in scan.unreadable if part.path == DATA}
    return reason


async def test_a_pdf_is_read_and_what_is_private_in_it_stands_in_the_file(attachments: Attachments, tools: Any) -> None:
    scan = await attachments.scan(tools.request(tools.make_pdf(tools.shown(f"Pay to {tools.iban} now"))))
    (finding,) = scan.findings
    assert (finding.kind, finding.place.path, finding.place.view) == ("iban", DATA, "file")
    assert scan.unreadable == ()
    assert scan.pack == attachments.pack


async def test_a_harmless_pdf_is_neither_private_nor_unread(attachments: Attachments, tools: Any) -> None:
    scan = await attachments.scan(tools.request(tools.make_pdf()))
    assert (scan.findings, scan.unreadable, scan.generic) == ((), (), False)


TEXT = "The account is DE89370400440532013000, thanks."


@pytest.mark.parametrize(
    ("data", "name", "mime"),
    [
        pytest.param(TEXT.encode(), "a.txt", "text/plain", id="plain"),
        pytest.param(TEXT.encode(), None, "text/plain", id="no name"),
        pytest.param(TEXT.encode(), "a.md", None, id="no type"),
        pytest.param(TEXT.encode(), "a.log", "application/octet-stream", id="a type that says nothing"),
        pytest.param(TEXT.encode("utf-8-sig"), "a.txt", "text/plain", id="a mark of the byte order"),
        pytest.param(TEXT.encode("utf-16"), "a.txt", "text/plain", id="UTF-16"),
        pytest.param(f"Müller, {TEXT}".encode("cp1252"), "a.txt", "text/plain", id="Windows' Western letters"),
        pytest.param(b"name,iban\nx,DE89370400440532013000\n", "a.csv", "text/csv", id="CSV"),
        pytest.param(b'{"iban": "DE89370400440532013000"}', "a.json", "application/json", id="JSON"),
        pytest.param(b"<p>DE89 3704 <b>0044 05</b>32 0130 00</p>", "a.html", "text/html", id="cut by HTML's tags"),
        pytest.param(b"<p><!-- DE89370400440532013000 --></p>", "a.html", "text/html", id="HTML's comment"),
        pytest.param(b"<p title='DE89370400440532013000'>", "a.htm", "text/html", id="HTML's attribute"),
        pytest.param(b"<p>DE89370400440532013000</p>", "a.html", "text/plain", id="HTML called text"),
    ],
)
async def test_text_files_are_read(
    data: bytes, name: str | None, mime: str | None, attachments: Attachments, tools: Any
) -> None:
    scan = await attachments.scan(tools.request(data, name, mime))
    assert "iban" in kinds(scan)
    assert scan.unreadable == ()
    assert {finding.place.view for finding in scan.findings} == {"file"}


@pytest.mark.parametrize(
    ("data", "name", "mime", "reason"),
    [
        pytest.param(b"%PDF-1.7 ...", "a.txt", "text/plain", "file", id="a PDF called text"),
        pytest.param(b"hello", "a.pdf", "text/plain", "file", id="text called a PDF"),
        pytest.param(b"hello", "a.pdf", "application/pdf", "malformed", id="text that says it is a PDF"),
        pytest.param(b"hello", "a.exe", None, "file", id="an ending nobody knows"),
        pytest.param(b"hello", None, None, "file", id="neither name nor type"),
        pytest.param(b"hello", "a.txt", "image/png", "file", id="a type nobody reads"),
        pytest.param(b"\x89PNG\r\n", "a.txt", "text/plain", "file", id="a picture called text"),
        pytest.param(b"a\0b", "a.txt", "text/plain", "malformed", id="control characters"),
        pytest.param(b"{\\rtf1 hello}", "a.txt", "text/plain", "file", id="rich text"),
        pytest.param(b"see ![x](data:image/png;base64,AAAA)", "a.md", "text/markdown", "embedded_file", id="a picture"),
        pytest.param(b"Content-Transfer-Encoding: base64\n\nAAAA", "a.txt", "text/plain", "embedded_file", id="mail"),
        pytest.param("not base64!", "a.txt", "text/plain", "malformed", id="no base64"),
        pytest.param("aGVsbG8=aGVsbG8=", "a.txt", "text/plain", "malformed", id="more after base64's end"),
        pytest.param(b"+AGEAQABi-.it", "a.txt", "text/plain;charset=utf-7", "malformed", id="letters in another code"),
        pytest.param(
            "\u6f22".encode("utf-16-be"), "a.txt", "text/plain;charset=utf-16", "malformed", id="no byte order"
        ),
        pytest.param(b"x" * 3_000, "a.txt", "text/plain", "too_large", id="too many bytes"),
    ],
)
async def test_a_file_that_is_not_what_it_says_stays_unread(
    data: bytes | str, name: str | None, mime: str | None, reason: str, scanner: Scanner, tools: Any
) -> None:
    attachments = Attachments(scanner, Limits(bytes=2_000))
    assert why(await attachments.scan(tools.request(data, name, mime))) == reason
    await attachments.aclose()


@pytest.mark.parametrize(
    "part",
    [
        pytest.param({"type": "file", "file": {"file_id": "file-1"}}, id="a handle"),
        pytest.param(
            {"type": "file", "file": {"file_data": "aGVsbG8=", "filename": "a.txt", "file_id": "f"}}, id="both"
        ),
        pytest.param(
            {"type": "file", "file": {"file_data": "aGVsbG8=", "filename": "a.txt"}, "image_url": {}}, id="more"
        ),
        pytest.param({"type": "file", "file": {"file_data": ["aGVsbG8="], "filename": "a.txt"}}, id="a list"),
        pytest.param(
            {"type": "file", "file": {"file_data": "aGVsbG8=", "filename": "x" * 2000 + ".txt"}}, id="long name"
        ),
        pytest.param({"type": "document", "source": {"type": "base64", "data": "aGVsbG8="}}, id="another API's"),
        pytest.param({"type": "image_url", "image_url": {"url": "data:text/plain;base64,aGVsbG8="}}, id="an image"),
        pytest.param({"type": "input_audio", "input_audio": {"data": "aGVsbG8=", "format": "wav"}}, id="audio"),
    ],
)
async def test_any_other_shape_stays_as_the_scanner_says(part: Any, attachments: Attachments, scanner: Scanner) -> None:
    document = {"messages": [{"role": "user", "content": [part]}]}
    scan = await attachments.scan(document)
    assert scan.unreadable == (await scanner.scan(document)).unreadable != ()


async def test_a_file_beside_an_image_clears_the_file_alone(attachments: Attachments, tools: Any) -> None:
    request = tools.request(b"hello there", "a.txt", "text/plain")
    request["messages"][0]["content"].append({"type": "image_url", "image_url": {"url": "https://x.org/a.png"}})
    scan = await attachments.scan(request)
    assert {part.reason for part in scan.unreadable} == {"image"}


async def test_the_responses_shape_is_read_too(attachments: Attachments) -> None:
    part = {"type": "input_file", "filename": "a.txt", "file_data": "data:text/plain;base64,aGVsbG8gdGhlcmU="}
    assert (await attachments.scan({"messages": [{"role": "user", "content": [part]}]})).unreadable == ()


async def test_a_files_name_is_scanned(attachments: Attachments, tools: Any) -> None:
    assert "iban" in kinds(await attachments.scan(tools.request(b"hello", f"{tools.iban}.txt", "text/plain")))


async def test_equal_values_in_one_file_are_one_value(attachments: Attachments, tools: Any) -> None:
    text = f"{tools.iban} and {tools.iban} and GB82WEST12345698765432"
    scan = await attachments.scan(tools.request(text.encode(), "a.txt", "text/plain"))
    ibans = [finding.value_id for finding in scan.findings if finding.kind == "iban"]
    assert len(ibans) == 3
    assert len(set(ibans)) == 2


@pytest.mark.parametrize("before", [39_000, 39_590, 39_990, 40_010, 79_190])
async def test_a_value_is_found_once_wherever_a_long_file_is_cut(
    before: int, attachments: Attachments, tools: Any
) -> None:
    text = ("lorem ipsum " * 10_000)[:before] + f" {tools.iban} " + "dolor sit " * 5_000
    scan = await attachments.scan(tools.request(text.encode(), "a.txt", "text/plain"))
    places = [finding.place.start for finding in scan.findings if finding.kind == "iban"]
    assert places == [before + 1]


class Counting:
    """A scanner that counts what it is given."""

    def __init__(self, inner: Scanner) -> None:
        self._inner = inner
        self.pack, self.kinds, self.categories, self.contexts = (
            inner.pack,
            inner.kinds,
            inner.categories,
            inner.contexts,
        )
        self.pieces = 0

    async def scan(self, document: Any, seen: dict[Any, Any] | None = None) -> Scan:
        self.pieces += "text" in document
        return await self._inner.scan(document, seen)


async def test_the_door_does_not_open_a_file_again(scanner: Scanner, tools: Any) -> None:
    counting = Counting(scanner)
    attachments = Attachments(counting)
    request = tools.request(tools.make_pdf(tools.shown(tools.iban)))
    seen: dict[Any, Any] = {}
    first = await attachments.scan(request, seen)
    assert counting.pieces > 0
    before = counting.pieces
    assert await attachments.scan(dict(request), seen) == first
    assert counting.pieces == before
    await attachments.aclose()


class Deaf(Counting):
    """A scanner that could not read the file's text."""

    async def scan(self, document: Any, seen: dict[Any, Any] | None = None) -> Scan:
        scan = await super().scan(document, seen)
        return Scan((), (Unreadable("$.text", "deadline"),), scan.pack) if "text" in document else scan


async def test_a_text_that_was_not_scanned_leaves_the_file_unread(scanner: Scanner, tools: Any) -> None:
    attachments = Attachments(Deaf(scanner))
    assert why(await attachments.scan(tools.request(b"hello there", "a.txt", "text/plain"))) == "deadline"
    await attachments.aclose()


async def test_only_so_many_files_are_read(scanner: Scanner, tools: Any) -> None:
    attachments = Attachments(scanner, Limits(files=1))
    request = tools.request(b"hello there", "a.txt", "text/plain")
    content = request["messages"][0]["content"]
    content.append(content[1])
    scan = await attachments.scan(request)
    assert {part.path for part in scan.unreadable} == {
        "$.messages[0].content[2]", "$.messages[0].content[2].file.file_data"
    }  # fmt: skip
    await attachments.aclose()


async def test_a_file_that_takes_too_long_stays_unread_and_the_next_one_is_read(
    attachments: Attachments, tools: Any
) -> None:
    """A page of a million operations: a second of processor time is not enough for it."""
    endless = tools.make_pdf(tools.packed(b"BT /F1 1 Tf " + b"(a) Tj 1 0 Td " * 1_000_000 + b"ET"))
    assert len(endless) < 100_000
    assert why(await attachments.scan(tools.request(endless))) in {"deadline", "too_large"}
    assert (await attachments.scan(tools.request(tools.make_pdf()))).unreadable == ()


async def test_a_file_that_takes_too_much_memory_stays_unread(scanner: Scanner, tools: Any) -> None:
    attachments = Attachments(scanner, Limits(memory_mb=150))
    bomb = tools.make_pdf(tools.packed(b"BT " + b" " * 70_000_000 + b"ET"))
    assert why(await attachments.scan(tools.request(bomb))) == "too_large"
    await attachments.aclose()


async def test_waiting_has_an_end(scanner: Scanner, tools: Any) -> None:
    attachments = Attachments(scanner, Limits(wall_s=0.001))
    assert why(await attachments.scan(tools.request(tools.make_pdf()))) == "deadline"
    await attachments.aclose()


def children() -> set[int]:
    told = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True)
    return {int(line.split()[0]) for line in told.stdout.splitlines() if "attachments.child" in line}


async def test_a_process_that_dies_costs_one_file_and_closing_leaves_none(scanner: Scanner, tools: Any) -> None:
    others = children()
    attachments = Attachments(scanner)
    request = tools.request(tools.make_pdf())
    assert (await attachments.scan(request)).unreadable == ()
    (child,) = children() - others
    os.kill(child, signal.SIGKILL)
    assert why(await attachments.scan(request)) == "detector_failed"
    assert (await attachments.scan(request)).unreadable == ()
    await attachments.aclose()
    assert children() <= others


async def test_no_file_speaks_through_a_repr(tools: Any, scanner: Scanner) -> None:
    from gateway.detect.attachments.parts import file_parts

    (part,) = file_parts(tools.request(b"hello", "secret-name.txt", "text/plain"))
    assert "secret-name" not in repr(part)
    assert "aGVsbG8" not in repr(part)

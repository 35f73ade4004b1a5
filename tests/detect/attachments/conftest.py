"""PDF files written by hand, byte for byte, and requests that carry files."""

from __future__ import annotations

import base64
import zlib
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from gateway.detect import Scanner
from gateway.detect.attachments import Attachments, Limits

IBAN = "DE89370400440532013000"
FONT = "/Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >> >>"

MakePdf: TypeAlias = Callable[..., bytes]


def shown(text: str) -> str:
    return f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET"


def stream(content: bytes | str, entries: str = "") -> bytes:
    data = content.encode("latin-1") if isinstance(content, str) else content
    return f"<< {entries} /Length {len(data)} >>\nstream\n".encode() + data + b"\nendstream"


def packed(content: bytes, entries: str = "") -> bytes:
    return stream(zlib.compress(content), f"/Filter /FlateDecode {entries}")


def written(objects: list[bytes], *, trailer: str = "", version: str = "1.7") -> bytes:
    """The file of objects 1, 2, …; the first one is the catalogue."""
    out = bytearray(f"%PDF-{version}\n".encode() + b"%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, 1):
        offsets.append(len(out))
        out += f"{number} 0 obj\n".encode() + body + b"\nendobj\n"
    table = len(out)
    rows = "".join(f"{offset:010d} 00000 n \n" for offset in offsets)
    out += f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{rows}".encode()
    out += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R {trailer} >>\nstartxref\n{table}\n%%EOF\n".encode()
    return bytes(out)


def make_pdf(
    content: bytes | str = shown("Nothing to hide here"),
    *,
    catalogue: str = "",
    page: str = "",
    resources: str = FONT,
    more: list[bytes] | None = None,
    trailer: str = "",
) -> bytes:
    """One page. `more` are objects 5, 6, … that the other arguments may refer to."""
    objects = [
        f"<< /Type /Catalog /Pages 2 0 R {catalogue} >>".encode(),
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R "
        f"/Resources << {resources} >> {page} >>".encode(),
        content if isinstance(content, bytes) else stream(content),
        *(more or []),
    ]
    return written(objects, trailer=trailer)


class Tools:
    """What tests need of this file (there are no imports between test modules)."""

    iban = IBAN
    font = FONT
    shown = staticmethod(shown)
    stream = staticmethod(stream)
    packed = staticmethod(packed)
    written = staticmethod(written)
    make_pdf = staticmethod(make_pdf)

    @staticmethod
    def request(data: bytes | str, name: str | None = "a.pdf", mime: str | None = None, **part: Any) -> dict[str, Any]:
        encoded = data if isinstance(data, str) else base64.b64encode(data).decode()
        file = {"file_data": encoded if mime is None else f"data:{mime};base64,{encoded}"}
        if name is not None:
            file["filename"] = name
        content = [{"type": "text", "text": "What does this say?"}, {"type": "file", "file": file, **part}]
        return {"model": "auto", "messages": [{"role": "user", "content": content}]}


@pytest.fixture(scope="session")
def tools() -> type[Tools]:
    return Tools


@pytest.fixture(scope="session")
def scanner(packs: Path) -> Scanner:
    return Scanner.load(cache_dir=packs, deadline_ms=5000)


@pytest.fixture(scope="session")
def limits() -> Limits:
    return Limits(cpu_s=1, wall_s=20)


@pytest.fixture
async def attachments(scanner: Scanner, limits: Limits) -> AsyncIterator[Attachments]:
    made = Attachments(scanner, limits)
    yield made
    await made.aclose()

"""Which parts of a request are files whose bytes are in the request itself, and what type each claims to be."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from gateway.core.types import Json
from gateway.detect.attachments.limits import Unread

_URL = re.compile(
    r"data:([A-Za-z0-9.+-]+/[A-Za-z0-9.+-]+)?"
    r"(?:;charset=(?i:utf-?8|us-ascii|iso-8859-1|windows-1252))?;base64,"
)
"""In any other character set the same bytes may say something else: `charset=utf-7` hides an address from whoever
reads plain letters."""
_NAME = 1024
"""Characters of a file name: longer ones are no names, and not scanned to their end."""

_TYPES = {
    "application/pdf": "pdf",
    "application/x-pdf": "pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "text/plain": "text",
    "text/csv": "text",
    "text/tab-separated-values": "text",
    "text/markdown": "text",
    "text/x-markdown": "text",
    "application/json": "text",
    "application/jsonl": "text",
    "application/x-ndjson": "text",
    "application/yaml": "text",
    "text/html": "markup",
    "application/xhtml+xml": "markup",
    "text/xml": "markup",
    "application/xml": "markup",
}
_NO_TYPE = frozenset({"", "application/octet-stream"})
_ENDINGS = {
    "pdf": "pdf", "docx": "docx", "txt": "text", "text": "text", "log": "text", "csv": "text", "tsv": "text",
    "md": "text", "markdown": "text", "json": "text", "jsonl": "text", "ndjson": "text", "yaml": "text", "yml": "text",
    "html": "markup", "htm": "markup", "xhtml": "markup", "xml": "markup",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FilePart:
    path: str
    """Of the content part."""
    data_path: str
    data: str = field(repr=False)
    name: str = field(repr=False)


def file_parts(document: Mapping[str, Json]) -> Iterator[FilePart]:
    """File parts of messages with nothing in them but a name and data. Other shapes are not read here."""
    messages = document.get("messages")
    for number, message in enumerate(messages if isinstance(messages, list | tuple) else ()):
        content = message.get("content") if isinstance(message, Mapping) else None
        for index, part in enumerate(content if isinstance(content, list | tuple) else ()):
            path = f"$.messages[{number}].content[{index}]"
            if isinstance(part, Mapping) and (found := _part(part, path)) is not None:
                yield found


def _part(part: Mapping[str, Json], path: str) -> FilePart | None:
    if part.get("type") == "file" and part.keys() == {"type", "file"}:
        inner, inner_path = part["file"], f"{path}.file"
    elif part.get("type") == "input_file":
        inner, inner_path = {key: value for key, value in part.items() if key != "type"}, path
    else:
        return None
    if not isinstance(inner, Mapping) or not {"file_data"} <= inner.keys() <= {"file_data", "filename"}:
        return None
    data, name = inner["file_data"], inner.get("filename") or ""
    if not isinstance(data, str) or not isinstance(name, str) or len(name) > _NAME:
        return None
    return FilePart(path, f"{inner_path}.file_data", data, name)


def opened(part: FilePart, at_most: int) -> tuple[str, bytes]:
    """The type and the bytes. Raises Unread where type and ending contradict each other, or neither is known here.

    A file that is one thing for us and another thing for whoever gets it would be read by them alone.
    """
    head = _URL.match(part.data, 0, 200)
    start = head.end() if head else 0
    mime = (head.group(1) or "").lower() if head else ""
    if (len(part.data) - start) * 3 // 4 > at_most:
        raise Unread("too_large")
    _, dot, ending = part.name.rpartition(".")
    by_name = _ENDINGS.get(ending.lower().strip()) if dot else None
    by_type = _TYPES.get(mime)
    if by_type is None and mime not in _NO_TYPE:
        raise Unread("file")
    kind = by_type or by_name
    if kind is None or (by_name is not None and by_name != kind and {by_name, kind} != {"text", "markup"}):
        raise Unread("file")
    if "markup" in (by_name, by_type):
        kind = "markup"
    try:
        return kind, binascii.a2b_base64(part.data[start:], strict_mode=True)
    except (binascii.Error, ValueError):
        raise Unread("malformed") from None

"""The project's own labelled requests, one YAML file per language, read into rows with the markup taken out.

A private value stands in its text as `[[LABEL|value]]`, so that a person can read and correct a row without counting
characters. What a detector is given holds the value alone; where it stands goes into the row's spans.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from gateway.core.types import CATEGORIES

FOLDER = Path(__file__).resolve().parents[1] / "data" / "native"
AREAS = frozenset(
    {"health", "bank", "legal", "hr", "support", "code", "public-administration", "education", "insurance", "everyday",
     "hard-negative"}
)  # fmt: skip
LABELS = frozenset(
    {"PERSON", "ADDRESS", "DOB", "PHONE", "EMAIL", "IBAN", "CARD", "NATIONAL_ID", "TAX_ID", "HEALTH_ID", "SECRET",
     "ACCOUNT", "ORG", "PLATE", "OTHER"}
)  # fmt: skip
ROLES = frozenset({"system", "user", "assistant", "tool"})
_FIELDS = frozenset({"id", "area", "sensitive", "kept", "categories", "why", "text", "messages"})
_MARK = re.compile(r"\[\[([A-Z_]+)\|(.+?)\]\]", re.DOTALL)


class Span(NamedTuple):
    """A private value: half-open range in code points of one message's content, as it is after the markup."""

    message: int
    start: int
    end: int
    label: str


@dataclass(frozen=True, slots=True)
class Row:
    """One request and what somebody careful says about it."""

    id: str
    lang: str
    area: str
    sensitive: bool
    """It holds something private at all."""
    kept: bool
    """Under the default policy it is CONFIDENTIAL or above."""
    categories: frozenset[str]
    messages: tuple[Mapping[str, str], ...]
    """As a client would send them: role and content, no markup."""
    spans: tuple[Span, ...]

    def value(self, span: Span) -> str:
        return self.messages[span.message]["content"][span.start : span.end]


def languages() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(source: str | Path = FOLDER) -> list[Row]:
    """Rows of one language (`"it"`), of one file, or of every file in a folder, in the order they are written in."""
    if isinstance(source, str) and re.fullmatch(r"[a-z]{2}", source):
        source = FOLDER / f"{source}.yaml"
    path = Path(source)
    files = sorted(path.glob("*.yaml")) if path.is_dir() else [path]
    return [_row(written, file.stem) for file in files for written in yaml.safe_load(file.read_text(encoding="utf-8"))]


def unmark(text: str, message: int = 0) -> tuple[str, list[Span]]:
    """The text without markup, and where its values stand. Raises ValueError where brackets are left over."""
    spans: list[Span] = []
    out = ""
    at = 0
    for mark in _MARK.finditer(text):
        label, value = mark.groups()
        if label not in LABELS:
            raise ValueError(f"{label!r} is no label")
        out += text[at : mark.start()]
        spans.append(Span(message, len(out), len(out) + len(value), label))
        out += value
        at = mark.end()
    out += text[at:]
    if "[[" in out or "]]" in out:
        raise ValueError("a value is not marked as [[LABEL|value]]")
    return out, spans


def _row(written: Mapping[str, Any], lang: str) -> Row:
    name = written.get("id", "without an id")
    try:
        return _checked(written, lang)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"row {name} of {lang}: {error}") from error


def _checked(written: Mapping[str, Any], lang: str) -> Row:
    if unknown := written.keys() - _FIELDS:
        raise ValueError(f"unknown fields {sorted(unknown)}")
    if ("text" in written) == ("messages" in written):
        raise ValueError("needs either text or messages")
    for field in ("sensitive", "kept"):
        if not isinstance(written[field], bool):
            raise ValueError(f"{field} is neither true nor false")
    _closed("areas", [written["area"]], AREAS)
    _closed("categories", written["categories"], CATEGORIES)
    messages, spans = _messages(written.get("messages") or [{"role": "user", "content": written["text"]}])
    return Row(
        id=written["id"],
        lang=lang,
        area=written["area"],
        sensitive=written["sensitive"],
        kept=written["kept"],
        categories=frozenset(written["categories"]),
        messages=messages,
        spans=spans,
    )


def _messages(written: Sequence[Mapping[str, str]]) -> tuple[tuple[Mapping[str, str], ...], tuple[Span, ...]]:
    messages: list[Mapping[str, str]] = []
    spans: list[Span] = []
    for number, message in enumerate(written):
        _closed("roles", [message["role"]], ROLES)
        content, found = unmark(message["content"], number)
        messages.append({"role": message["role"], "content": content})
        spans += found
    return tuple(messages), tuple(spans)


def _closed(what: str, words: Sequence[str], known: frozenset[str]) -> None:
    if unknown := set(words) - known:
        raise ValueError(f"{sorted(unknown)} are not among the {what}")

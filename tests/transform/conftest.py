"""Detectors, requests and answers for the transforms' tests."""

from __future__ import annotations

import re
import sys
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from gateway.core.ports import Detector, Transform, Transformed
from gateway.core.types import Assessment, Chunk, Finding, Pieces, Place, Principal, Request, Scan
from gateway.detect.scanner import Scanner
from gateway.detect.walk import walk

SECRET = b"s" * 32


def pytest_unconfigure() -> None:
    """llama_cpp opens /dev/null at import and never closes it: a warning after the last test, for each of two files."""
    opened = sys.modules.get("llama_cpp._utils")
    for name in ("outnull_file", "errnull_file"):
        if opened is not None:
            getattr(opened, name).close()


@dataclass
class Words:
    """Finds the words it was given, each of a kind and category, and nothing else."""

    words: Mapping[str, tuple[str, str]]
    views: Mapping[str, str] = field(default_factory=dict)
    pack: str = "words"
    scans: int = 0

    async def scan(self, document: Mapping[str, Any], seen: dict[Any, Any] | None = None) -> Scan:
        self.scans += 1
        walked = walk(document)
        findings = [
            Finding("words", *self.words[word], 0.9, Place(text.path, *match.span(), self.views.get(word, "raw")))
            for text in walked.texts
            for word in self.words
            for match in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text.text)
        ]
        return Scan(tuple(findings), tuple(walked.unreadable), self.pack)


@dataclass
class Both:
    """Two detectors as one."""

    first: Detector
    second: Detector

    @property
    def pack(self) -> str:
        return self.first.pack + self.second.pack

    async def scan(self, document: Mapping[str, Any], seen: dict[Any, Any] | None = None) -> Scan:
        one, two = await self.first.scan(document, seen), await self.second.scan(document, seen)
        return Scan(one.findings + two.findings, one.unreadable + two.unreadable, self.pack)


@dataclass
class Tools:
    """What tests need of this file (there are no imports between test modules)."""

    scanner: Scanner

    def names(self, *names: str, **more: tuple[str, str]) -> Detector:
        """The real rules, and these people's names."""
        words = dict.fromkeys(names, ("person", "person"))
        return Both(self.scanner, Words({**words, **more}))

    def words(self, **words: tuple[str, str]) -> Words:
        return Words({word.replace("_", " "): found for word, found in words.items()})

    def detector(self, words: Mapping[str, tuple[str, str]], views: Mapping[str, str] | None = None) -> Words:
        return Words(words, views or {})

    def request(self, said: str | list[Any], **more: Any) -> Request:
        messages = [{"role": "user", "content": said}] if isinstance(said, str) else said
        made = Request("r1", Principal("acme", "ann"), "large", {"model": "large", "messages": messages})
        known = {key: more.pop(key) for key in ("conversation", "principal") if key in more}
        return replace(made, body={**made.body, **more}, **known)

    async def apply(self, transform: Transform, detector: Detector, request: Request) -> Transformed:
        seen: dict[Any, Any] = {}
        scan = await detector.scan(request.body, seen)
        return await transform.apply(request, Assessment(scan.findings, scan.unreadable), seen)

    async def answer(self, pieces: Iterable[Pieces]) -> AsyncGenerator[Pieces, None]:
        for each in pieces:
            yield each

    async def through(self, way: Callable[..., AsyncGenerator[Pieces, None]], pieces: Iterable[Pieces]) -> list[Chunk]:
        return [chunk async for each in way(self.answer(pieces)) for chunk in each]

    def says(self, text: str, sizes: Sequence[int], *, choice: int = 0, name: str = "content") -> list[Pieces]:
        """The text cut into pieces of these sizes, over and over."""
        cut: list[Pieces] = []
        at = number = 0
        while at < len(text):
            size = max(1, sizes[number % len(sizes)]) if sizes else len(text)
            cut.append([Chunk(choice, {name: text[at : at + size]})])
            at, number = at + size, number + 1
        return [*cut, [Chunk(choice, {}, "stop")]]

    def text(self, chunks: Iterable[Chunk], *, choice: int = 0, name: str = "content") -> str:
        return "".join(chunk.delta.get(name) or "" for chunk in chunks if chunk.choice == choice)

    def arguments(self, chunks: Iterable[Chunk], *, choice: int = 0, call: int = 0) -> str:
        return "".join(
            each.get("function", {}).get("arguments", "")
            for chunk in chunks
            if chunk.choice == choice
            for each in chunk.delta.get("tool_calls", ())
            if each["index"] == call
        )


@pytest.fixture(scope="session")
def scanner(packs: Path) -> Scanner:
    return Scanner.load(cache_dir=packs, deadline_ms=5000)


@pytest.fixture(scope="session")
def tools(scanner: Scanner) -> Tools:
    return Tools(scanner)


@pytest.fixture(scope="session")
def secret() -> bytes:
    return SECRET

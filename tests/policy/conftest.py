"""Fixtures of the policy tests: a detector and a scorer of a few lines each, and ways to write policies and facts."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gateway.core.types import (
    Assessment,
    Finding,
    Needs,
    Place,
    Principal,
    Request,
    Scan,
    Score,
    Unreadable,
)
from gateway.policy.cases import CATALOGUE
from gateway.policy.evaluate import CompiledPolicy
from gateway.policy.load import load_policy


class PatternDetector:
    """Recognises what the cases plant. The real detectors have their own cases."""

    pack = "fake"
    _patterns = (
        ("iban", "financial", re.compile(r"\b[A-Z]{2}\d{2}(?: ?[A-Z0-9]{2,4}){3,8}")),
        ("payment_card", "financial", re.compile(r"\b4\d{3}(?: \d{4}){3}\b")),
        ("github_token", "secret", re.compile(r"\bghp_\w{36}\b")),
    )

    async def scan(self, document: Mapping[str, Any], seen: dict[Any, Any] | None = None) -> Scan:
        findings: list[Finding] = []
        unreadable: list[Unreadable] = []
        for index, message in enumerate(document["messages"]):
            path, content = f"$.messages[{index}].content", message["content"]
            parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
            for part in parts:
                if part["type"] != "text":
                    unreadable.append(Unreadable(path, "image"))
                    continue
                for kind, category, pattern in self._patterns:
                    findings += [
                        Finding("fake", kind, category, 1.0, Place(path, *hit.span()), value_id=len(findings) + 1)
                        for hit in pattern.finditer(part["text"])
                    ]
        return Scan(tuple(findings), tuple(unreadable), self.pack)


class ShapeScorer:
    """Reads needs off the request's shape and has no opinion on gain: cases fix `complexity`."""

    async def score(self, request: Request) -> Score:
        parts = [
            part for message in request.messages if isinstance(message["content"], list) for part in message["content"]
        ]
        return Score(
            gain=None,
            needs=Needs(
                image=any(part["type"] == "image_url" for part in parts),
                tools="tools" in request.body,
                schema="response_format" in request.body,
            ),
            tokens=20,
        )


@pytest.fixture
def detector() -> PatternDetector:
    return PatternDetector()


@pytest.fixture
def scorer() -> ShapeScorer:
    return ShapeScorer()


@pytest.fixture
def compiled(tmp_path: Path) -> Callable[..., CompiledPolicy]:
    def compile_(text: str, backends: Any = CATALOGUE) -> CompiledPolicy:
        path = tmp_path / "policy.yaml"
        path.write_text(text, encoding="utf-8")
        return load_policy(path, backends)

    return compile_


@pytest.fixture
def ask() -> Callable[..., Request]:
    def request(**given: Any) -> Request:
        principal = Principal(**{key: given.pop(key) for key in ("tenant", "roles", "tags", "public", "purpose")
                                 if key in given})  # fmt: skip
        return Request(id="r1", principal=principal, body={"messages": []}, **({"model": "auto"} | given))

    return request


@pytest.fixture
def found() -> Callable[..., Finding]:
    def finding(kind: str, category: str, **given: Any) -> Finding:
        given = {"confidence": 1.0, "value_id": 1} | given
        return Finding("fake", kind, category, place=Place("$.messages[0].content", 0, 1), **given)

    return finding


@pytest.fixture
def facts() -> Callable[..., Assessment]:
    def assessment(**given: Any) -> Assessment:
        return Assessment(**({"gain": 0.9, "language": "en", "language_confidence": 1.0, "tokens": 20} | given))

    return assessment

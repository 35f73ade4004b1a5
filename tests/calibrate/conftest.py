"""Probes made for a test, and a remote on loopback that records what reaches it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bench.scripted_remote import Script, completion
from gateway.calibrate.probes import Probe, load
from tests.support.capture import Answer, CaptureServer, Recorded

MakeProbe = Callable[..., Probe]


@pytest.fixture
def probe() -> MakeProbe:
    def make(name: str = "a", lang: str = "en", prompt: str = "", **more: Any) -> Probe:
        given = {"family": "maths", "level": "easy", "check": "number", "gold": 4, **more}
        return Probe(f"{name}.{lang}", lang, prompt=prompt or f"What is 2 + 2 ({name}, {lang})?", **given)

    return make


@pytest.fixture(scope="session")
def scripted_answer() -> Callable[[Recorded], Answer]:
    """The shipped probes answered as `bench.scripted_remote` does."""
    script = Script(load())

    def said(request: Recorded) -> Answer:
        body = json.dumps(completion(script.answer(request.json["messages"][-1]["content"]))).encode()
        return Answer((body,), headers={"content-type": "application/json"}, framing="length")

    return said


@pytest.fixture
def scripted(scripted_answer: Callable[[Recorded], Answer]) -> Iterator[CaptureServer]:
    """A remote that keeps every byte that reaches it."""
    with CaptureServer() as server:
        server.always(scripted_answer)
        yield server

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


@pytest.fixture
def scripted() -> Iterator[CaptureServer]:
    """Answers the shipped probes as `bench.scripted_remote` does, and keeps every byte that came."""
    script = Script(load())

    def said(request: Recorded) -> Answer:
        text = script.answer(request.json["messages"][-1]["content"])
        body = json.dumps(completion(text)).encode()
        return Answer((body,), headers={"content-type": "application/json"}, framing="length")

    with CaptureServer() as server:
        server.always(said)
        yield server

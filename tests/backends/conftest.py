"""Wires to the capture server, closed when the test is over."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from typing import Any

import pytest

from gateway.backends.endpoint import validate_endpoint
from gateway.backends.openai_wire import OpenAIWire, WireOptions
from gateway.core.types import BackendSpec, Zone
from tests.support.capture import CaptureServer
from tests.support.remote import make_spec


@pytest.fixture
async def wire(capture: CaptureServer) -> AsyncGenerator[Callable[..., OpenAIWire], None]:
    made: list[OpenAIWire] = []

    def make(spec: BackendSpec | None = None, *, base_url: str = "", **options: Any) -> OpenAIWire:
        spec = spec or make_spec()
        plaintext = spec.zone is Zone.PRIVATE
        url = base_url or capture.base_url
        endpoint = validate_endpoint(spec.name, spec.zone, url, plaintext=plaintext, environment={})
        made.append(OpenAIWire(spec, endpoint, api_key="sk-planted", options=WireOptions(**options)))
        return made[-1]

    yield make
    for each in made:
        await each.aclose()

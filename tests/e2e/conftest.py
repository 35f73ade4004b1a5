"""One gateway with the real small model, and the outside that it must not tell anything private."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.capture import CaptureServer
from tests.support.serving import Serving, serving


def large(outside: CaptureServer, **more: Any) -> dict[str, Any]:
    where = {"name": "large", "zone": "remote", "wire": "openai", "base_url": outside.base_url, "model": "capture-1"}
    return where | more


@pytest.fixture(scope="module")
def outside() -> Iterator[CaptureServer]:
    with CaptureServer() as server:
        yield server


@pytest.fixture(scope="module")
def shared(outside: CaptureServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    with serving(tmp_path_factory.mktemp("gateway"), {"backends": [large(outside)]}) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def canned(outside: CaptureServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """The gateway where it does not matter what the local model says, only who is asked."""
    config = {"backends": [large(outside)], "cache": {"url": "off://"}}
    with serving(tmp_path_factory.mktemp("canned"), config, env={"GATEWAY_LOCAL": "canned"}) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared: Serving, outside: CaptureServer) -> Serving:
    outside.clear()
    return shared

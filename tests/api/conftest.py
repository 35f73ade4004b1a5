"""One upstream and one gateway for the tests that only talk HTTP; whoever needs other settings starts another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.capture import CaptureServer, by_route
from tests.support.serving import Serving, serving

POLICY = Path(__file__).with_name("api.yaml")


def settings(upstream: CaptureServer, **more: Any) -> dict[str, Any]:
    backend = {"name": "large", "zone": "remote", "wire": "openai", "base_url": upstream.base_url, "model": "capture-1"}
    return {
        "policy": {"path": str(POLICY)},
        "backends": [backend],
        "aliases": {"vendor/gpt-4.1": "large"},
        "cache": {"url": "off://"},
        **more,
    }


@pytest.fixture(scope="session")
def shared_upstream() -> Iterator[CaptureServer]:
    with CaptureServer() as server:
        yield server


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory, shared_upstream: CaptureServer) -> Iterator[Serving]:
    """Open to loopback, with a canned local model, pings after 0.2 s and bodies of up to 1 MiB."""
    server = {
        "ping_s": 0.2,
        "body_limit_mb": 1,
        "allowed_hosts": ["gateway.test"],
        "cors_origins": ["https://app.test"],
    }
    config = settings(shared_upstream, server=server)
    with serving(tmp_path_factory.mktemp("gateway"), config, env={"GATEWAY_LOCAL": "canned"}) as it:
        yield it
        assert '"level":"error"' not in it.log()  # whatever the tests did, nothing broke inside


@pytest.fixture
def upstream(shared_upstream: CaptureServer) -> CaptureServer:
    """The outside, with nothing scripted and nothing recorded."""
    shared_upstream.clear()
    shared_upstream.always(by_route)
    return shared_upstream

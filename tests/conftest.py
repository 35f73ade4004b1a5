"""What every test shares: the event loop's kind and a network that reaches loopback alone."""

from __future__ import annotations

import pytest
from pytest_socket import socket_allow_hosts

pytest_plugins = ["tests.support.capture"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _only_loopback() -> None:
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)

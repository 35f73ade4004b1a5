"""What every test shares: the event loop's kind and a network that reaches loopback alone."""

from __future__ import annotations

import signal

import pytest
from pytest_socket import socket_allow_hosts

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell does to what it runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what the tests start has to end on Ctrl-C

pytest_plugins = ["tests.support.capture"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _only_loopback() -> None:
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)

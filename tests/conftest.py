"""What every test shares: the event loop's kind and a network that reaches loopback alone."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from pytest_socket import socket_allow_hosts

from gateway.engine.files.places import share_dir

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell does to what it runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what the tests start has to end on Ctrl-C

pytest_plugins = ["tests.support.capture"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="session")
def packs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the detectors' automaton, which takes seconds to compile: what was installed, else once for all."""
    folder: Path = tmp_path_factory.mktemp("packs")
    installed = sorted((share_dir() / "detect").glob("*.hs"), key=lambda path: path.stat().st_mtime)
    for path in installed[-1:]:
        shutil.copy2(path, folder)
    return folder


@pytest.fixture(autouse=True)
def _only_loopback() -> None:
    socket_allow_hosts(["127.0.0.1", "::1", "localhost"], allow_unix_socket=True)

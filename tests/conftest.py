"""What every test shares: the event loop's kind, the same examples, and a network that reaches loopback alone."""

from __future__ import annotations

import gc
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers
from pytest_socket import socket_allow_hosts

from gateway.engine.files.places import share_dir

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as a shell does to what it runs in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # what the tests start has to end on Ctrl-C

pytest_plugins = ["tests.support.capture"]

# The same examples in every run, however long they take: who changes something else is not stopped by a rare example.
# The search for rare ones is `make soak`'s. One fixture serves all examples of a test.
_lenient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
settings.register_profile("same", _lenient, derandomize=True, database=None, print_blob=True)
settings.register_profile("search", _lenient, derandomize=False, print_blob=True)
settings.load_profile("same")


@pytest.fixture(scope="session", autouse=True)
def _no_examples_from_modules() -> Iterator[None]:
    """Hypothesis takes constants from the modules that are imported, and those are other ones in every worker."""
    with pytest.MonkeyPatch.context() as patch:
        if settings.default is not None and settings.default.derandomize:
            patch.setattr(providers, "is_local_module_file", lambda path: False)
        yield


def pytest_collection_finish() -> None:
    """Keeps the collector away from the eleven thousand tests that were listed: it takes 0.3 s for a walk over them.

    What runs in this process pays for that: a detector gives up on a text after 0.25 s of processor time.
    """
    gc.collect()
    gc.freeze()


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

"""Two homes for the engine's worker: a child process, and a thread of this process. Both speak frames on a socket."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import anyio

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_KEPT_PREFIXES = ("GGML_", "OMP_", "GOMP_", "CUDA_", "NVIDIA_", "LLAMA_CPP_")


class Host(Protocol):
    """Where the worker lives."""

    connection: socket.socket

    @property
    def pid(self) -> int | None:
        """Process id of the child; None for a thread."""
        ...

    async def end(self) -> str:
        """Make it end and say how it ended. Nothing of it is left afterwards."""
        ...


class ProcessHost:
    """A child process: a crash of llama.cpp costs a restart, not the gateway."""

    def __init__(self) -> None:
        self.connection, self._process = start_child("gateway.engine.child")
        self.connection.setblocking(False)

    @property
    def pid(self) -> int | None:
        return self._process.pid

    async def end(self) -> str:
        self.connection.close()
        with anyio.move_on_after(2):
            return how_it_ended(await self._exit())
        self._process.kill()
        return how_it_ended(await self._exit())

    async def _exit(self) -> int:
        while (status := self._process.poll()) is None:  # noqa: ASYNC110 - a Popen cannot be awaited
            await anyio.sleep(0.005)
        return status


class ThreadHost:
    """A thread of this process: the literal in-process engine. A crash of llama.cpp ends the gateway."""

    def __init__(self) -> None:
        from gateway.engine.child import seal_memory, serve

        seal_memory()  # a crash of llama.cpp is one of the whole gateway here
        for name, value in ENGINE_ENVIRONMENT.items():
            os.environ.setdefault(name, value)  # in time only if nothing has loaded libgomp yet
        self.connection, theirs = socket.socketpair()
        self._thread = threading.Thread(target=serve, args=(theirs,), name="engine-frames", daemon=True)
        self._thread.start()
        self.connection.setblocking(False)

    @property
    def pid(self) -> int | None:
        return None

    async def end(self) -> str:
        self.connection.close()
        while self._thread.is_alive():  # noqa: ASYNC110 - nor can a thread
            await anyio.sleep(0.005)
        return "its thread ended"


ENGINE_ENVIRONMENT: Mapping[str, str] = {
    # OpenMP's waiting threads spin by default: beside other load that costs three quarters of the speed.
    "GOMP_SPINCOUNT": "1000",
    # Without it a dying llama.cpp first starts a debugger on itself.
    "GGML_NO_BACKTRACE": "1",
}


def start_child(module: str) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    """`python -m module FD` in a process of its own, and this side of the socket whose other side it has as FD."""
    ours, theirs = socket.socketpair()
    try:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-P", "-m", module, str(theirs.fileno())],
            pass_fds=(theirs.fileno(),),
            env=child_environment(os.environ),
            stdin=subprocess.DEVNULL,
            # What a dying library prints may hold text of a request; the exit status says enough.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the parent to handle
        )
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return ours, process


def child_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What the child inherits: no vendor keys, no tokens, only what loading a library and finding a GPU need."""
    kept = {name: value for name, value in environ.items() if name in _KEPT or name.startswith(_KEPT_PREFIXES)}
    return {**ENGINE_ENVIRONMENT, **kept, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def how_it_ended(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    if status == -signal.SIGILL:
        return "signal SIGILL: llama.cpp was compiled for another processor, install into a new environment"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"

"""The child process that holds the model: `python -m gateway.engine.child FD`.

It talks on one inherited socket and ends when that closes, whatever else it is doing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from gateway.engine.frames import BrokenFrame, encode, read_frames
from gateway.engine.worker import Worker

HEARTBEAT_S = 1.0
"""How often the child says that it lives, also in the middle of a long prompt."""
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4


def serve(connection: socket.socket) -> None:
    """Work off frames until the other side closes. Used as it is by `isolation: thread`."""
    sending = threading.Lock()

    def send(frame: Mapping[str, Any]) -> None:
        # A parent that left needs no answer; the reader sees the same close and stops the worker.
        with sending, contextlib.suppress(OSError):
            connection.sendall(encode(frame))

    worker = Worker(send)
    gone = threading.Event()
    threading.Thread(target=_beat, args=(send, gone), name="engine-heartbeat", daemon=True).start()
    computing = threading.Thread(target=_run, args=(worker, connection), name="engine", daemon=True)
    computing.start()
    try:
        with contextlib.suppress(BrokenFrame):
            for frame in read_frames(connection):
                worker.handle(frame)
    finally:
        gone.set()
        worker.stop()
        computing.join(timeout=None if threading.current_thread() is not threading.main_thread() else 0.2)
        connection.close()


def _beat(send: Callable[[Mapping[str, Any]], None], gone: threading.Event) -> None:
    while not gone.wait(HEARTBEAT_S):
        send({"alive": True})


def _run(worker: Worker, connection: socket.socket) -> None:
    try:
        worker.run()
    finally:
        # Whatever ended the worker, the parent learns of it by the close and starts anew.
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)


def seal_memory() -> None:
    """No core dump of this process may hold a prompt, and no other process may read its memory."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def _harden() -> None:
    """Besides, no parent may leave this process behind."""
    seal_memory()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def main() -> None:
    _harden()
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        serve(connection)
    # Compute threads may still be inside llama.cpp, and there is nothing to save.
    os._exit(0)


if __name__ == "__main__":
    main()

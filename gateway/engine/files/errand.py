"""One piece of work with llama.cpp in a process of its own, which ends when whoever asked for it ends or gives it up.

Its memory is given back, a crash of it is an answer like any other, and it can be stopped at any time.
"""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from gateway.core.errors import GatewayError
from gateway.engine.frames import BrokenFrame, Frame, Frames, encode, read_frames
from gateway.engine.hosting import how_it_ended, start_child

_LOOK_S = 0.1
"""How often somebody who waits looks whether he still wants to."""


class ErrandFailed(Exception):
    """It ended without a result; the message says how, and holds no text of its input."""


class Unwanted(Exception):
    """`stopped` said so while the work was under way."""


def never() -> bool:
    """For those who do not give up."""
    return False


def errand(module: str, job: Mapping[str, Any], *, stopped: Callable[[], bool] = never) -> Iterator[Frame]:
    """Run `python -m module` on `job` and yield the frames it sends, as they come.

    Raises ErrandFailed when it ends in another way than by `done`, and Unwanted. Closing the iterator ends the process.
    """
    ours, process = start_child(module)
    with ours:
        try:
            ours.sendall(encode(job))
            for frame in _frames(ours, stopped):
                if "failed" in frame:
                    raise ErrandFailed(frame["failed"])
                if "done" in frame:
                    return
                yield frame
            raise ErrandFailed(f"its process ended with {how_it_ended(process.wait())}")
        except (BrokenFrame, ConnectionError) as error:
            raise ErrandFailed("its process broke off") from error
        finally:
            process.kill()
            process.wait()


def _frames(connection: socket.socket, stopped: Callable[[], bool]) -> Iterator[Frame]:
    frames = Frames()
    connection.settimeout(_LOOK_S)
    while not stopped():
        try:
            data = connection.recv(65536)
        except TimeoutError:
            continue
        if not data:
            return
        for frame, _ in frames.feed(data):
            yield frame
    raise Unwanted


def run(work: Callable[[Frame], Iterator[Frame]]) -> None:
    """The other side: read the job, send what `work` yields, and be gone as soon as nobody listens any more."""
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        job = next(read_frames(connection))
        threading.Thread(target=_leave_with, args=(connection,), daemon=True).start()
        try:
            for frame in work(job):
                connection.sendall(encode(frame))
            last: Frame = {"done": True}
        except Exception as error:  # noqa: BLE001 - whatever it was, whoever waits is told and decides
            named = "" if isinstance(error, GatewayError) else f"{type(error).__name__}: "
            last = {"failed": f"{named}{error}"}
        with contextlib.suppress(OSError):
            connection.sendall(encode(last))
            connection.shutdown(socket.SHUT_WR)
    os._exit(0)  # compute threads have nothing to save


def _leave_with(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while connection.recv(4096):
            pass
    os._exit(1)

"""Has files opened in child processes, a few at a time, and never waits longer than it said."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from dataclasses import asdict
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

from gateway.detect.attachments.frames import receive, send
from gateway.detect.attachments.limits import Limits, Unread
from gateway.detect.attachments.plain import read_text
from gateway.detect.worker import Worker

_AT_ONCE = 2
_PACKAGE = Path(__file__).resolve().parents[3]


class Extractor:
    """Starts its processes when the first file comes and keeps them. Text needs none."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._worker = Worker("attachments", _AT_ONCE)
        self._idle: list[_Child] = []
        self._lock = Lock()
        self._closed = False

    async def read(self, kind: str, data: bytes) -> list[str]:
        """The texts of a file, or Unread."""
        if kind in {"text", "markup"}:
            texts = await self._worker.run(partial(read_text, data, markup=kind == "markup"))
        else:
            texts = await self._worker.run(partial(self._in_a_child, kind, data, time.monotonic()))
        if sum(map(len, texts)) > self._limits.characters * (1 + (kind == "markup")):
            raise Unread("too_large")
        return texts

    def close(self) -> None:
        with self._lock:
            self._closed, idle, self._idle = True, self._idle, []
        for child in idle:
            child.end()
        self._worker.close()

    def _in_a_child(self, kind: str, data: bytes, asked: float) -> list[str]:
        left = self._limits.wall_s - (time.monotonic() - asked)
        if left <= 0:
            raise Unread("deadline")  # the turn came too late
        with self._lock:
            child = self._idle.pop() if self._idle else None
        child = child or _Child()
        try:
            answer = child.ask({"kind": kind, "limits": asdict(self._limits)}, data, left)
        except TimeoutError:
            child.end()
            raise Unread("deadline") from None
        except (OSError, ValueError):
            child.end()
            raise Unread("detector_failed") from None
        with self._lock:
            if not self._closed:
                self._idle.append(child)
                child = None
        if child is not None:
            child.end()
        if "reason" in answer:
            raise Unread(str(answer["reason"]))
        return [str(text) for text in answer["texts"]]


class _Child:
    """One process and the socket to it."""

    def __init__(self) -> None:
        self._connection, theirs = socket.socketpair()
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-m", "gateway.detect.attachments.child", str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                env={"PYTHONPATH": str(_PACKAGE), "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,  # what a dying library prints may quote the file
                start_new_session=True,  # Ctrl-C is for the parent to handle
            )
        except OSError:
            self._connection.close()
            raise
        finally:
            theirs.close()

    def ask(self, head: dict[str, Any], data: bytes, left_s: float) -> dict[str, Any]:
        self._connection.settimeout(left_s)
        send(self._connection, head, data)
        answer = receive(self._connection)
        if answer is None:
            raise ConnectionError("the process that opens files has ended")
        return answer[0]

    def end(self) -> None:
        self._connection.close()
        self._process.kill()
        self._process.wait()

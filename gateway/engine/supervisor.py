"""Keeps the engine's worker alive: starts it, carries frames to and from it, starts it again when it dies."""

from __future__ import annotations

import contextlib
import itertools
import socket
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import anyio
from anyio.abc import TaskStatus

from gateway.core.errors import LocalUnavailable
from gateway.engine.frames import BrokenFrame, Frame, Frames, encode
from gateway.engine.hosting import Host

BACKOFF_S = (0.0, 0.1, 0.2, 0.4, 0.8)
"""Waits before the first, second … restart in a row; after the last of them the engine counts as failed."""
REST_S = 30.0
"""How long a failed engine rests before it is tried once more."""

UNREAD_BYTES = 8 * 1024 * 1024
"""Frames kept for a reader that is slower than the model: several full contexts of text, one or two with logprobs."""

SILENCE_S = 15.0
"""A worker says every second that it lives; after so long without a word it hangs, and is ended."""


class State(StrEnum):
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Status:
    """What `/readyz` and the log say about the engine."""

    state: State
    reason: str = ""
    """For the operator: names files and figures, never text of a request."""
    retry_after_s: float | None = None


class WorkerLost(Exception):
    """The worker died while a request was with it."""


class Unread(Exception):
    """So much of an answer was waiting for its reader that the worker was told to stop."""


Said = Frame | list[Any]
"""What a worker says of a request: steps `[request, choice, delta, finish, logprobs, confidence]`, at last a frame."""


def _nobody() -> None:
    """Told when an exchange ends that nobody waits for."""


class Exchange:
    """One request's frames, on their way back. They are kept here, up to a limit, however slow their reader is."""

    def __init__(self, number: int, most: int, ended: Callable[[], None]) -> None:
        self.number = number
        self._most = most
        self.ended = False
        self._tell_ended = ended
        self._frames: deque[Said] = deque()
        self._size = 0
        self._arrived = anyio.Event()
        self._lost = False
        self._overflowed = False

    def put(self, said: Said, size: int) -> bool:
        """Keep something of `size` bytes; False when that is too much and nothing is kept any more."""
        self._size += size
        if self._size > self._most:
            self._overflowed = True
            self._frames.clear()
        else:
            self._frames.append(said)
        self._arrived.set()
        return not self._overflowed

    def end(self) -> None:
        """The worker is done with it, or was told to be."""
        self.ended = True
        self._tell_ended()

    def lose(self) -> None:
        self._lost = True
        self._arrived.set()

    async def frames(self) -> list[Said]:
        """All that has come since the last call, at least one thing. Only the last one may be a frame, the end.

        Raises WorkerLost or Unread.
        """
        await self._arrived.wait()
        if self._overflowed:
            raise Unread
        if not self._frames:
            raise WorkerLost
        taken = list(self._frames)
        self._frames.clear()
        self._size = 0
        if not self._lost:
            self._arrived = anyio.Event()
        return taken


class Supervisor:
    """Owns the host. All its methods belong to the event loop's thread."""

    def __init__(
        self,
        load: Mapping[str, Any],
        host: Callable[[], Host],
        *,
        changed: Callable[[Status], None] | None = None,
        rest_s: float = REST_S,
        silence_s: float = SILENCE_S,
        unread_bytes: int = UNREAD_BYTES,
    ) -> None:
        self._load = load
        self._make_host = host
        self._tell = changed
        self._rest_s = rest_s
        self._silence_s = silence_s
        self._unread_bytes = unread_bytes
        self._numbers = itertools.count(1)
        self._exchanges: dict[int, Exchange] = {}
        self._outbox = bytearray()
        self._wake = anyio.Event()
        self._moved = anyio.Event()
        self._failures = 0
        self._host: Host | None = None
        self._refusal: str | None = None
        """Why the worker will never load: wrong digest, no GGUF, no library."""
        self.status = Status(State.STARTING)
        self.loaded: Mapping[str, Any] = {}
        """What the worker said of itself when it had loaded."""
        self.restarts = 0
        self.cancelled = 0
        """Requests whose end by cancelling the worker has confirmed."""

    @property
    def pid(self) -> int | None:
        return self._host.pid if self._host is not None else None

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Keep a worker going until cancelled. Start it in a task group of the application's own."""
        task_status.started()
        try:
            while True:
                ended = await self._one_life()
                if self._refusal is not None:
                    self._set(State.FAILED, self._refusal)
                    return
                await self._pause(ended)
        finally:
            if self.status.state is not State.FAILED:
                self._set(State.STOPPED, "the gateway is stopping")

    async def ready(self, within_s: float) -> None:
        """Return once the worker can take a request. Raises LocalUnavailable."""
        with anyio.move_on_after(within_s):
            while self.status.state is not State.READY:
                if self.status.state in {State.FAILED, State.STOPPED}:
                    raise LocalUnavailable("the local model is not available", retry_after_s=self.status.retry_after_s)
                await self._moved.wait()
            return
        raise LocalUnavailable("the local model is still loading", retry_after_s=2.0)

    def send(self, frame: Mapping[str, Any], ended: Callable[[], None] = _nobody) -> Exchange:
        """Give the worker a request. Close the exchange with `close` when done, come what may.

        `ended` is told when the worker can take the next one, whether or not this one's frames have been read.
        """
        exchange = Exchange(next(self._numbers), self._unread_bytes, ended)
        self._exchanges[exchange.number] = exchange
        self._write({**frame, "id": exchange.number})
        return exchange

    def close(self, exchange: Exchange) -> None:
        """Forget the exchange; a request that is still being worked on is cancelled."""
        if self._exchanges.pop(exchange.number, None) is not None and not exchange.ended:
            self._write({"op": "cancel", "id": exchange.number})

    # One worker's life

    async def _one_life(self) -> str:
        """From start to death; returns how it died."""
        try:
            self._host = host = self._make_host()
        except OSError as error:
            return f"it could not be started ({type(error).__name__})"
        how = ""
        try:
            self._outbox = bytearray(encode({"op": "load", **self._load}))
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._write_all, host.connection)
                await self._read_all(host.connection)
                if self.status.state is State.READY:
                    self.status = Status(State.RESTARTING, "it died")  # told once it is known how
                tasks.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                self._lose_all()
                how = await host.end()
                self._host = None
        return how

    async def _pause(self, how: str) -> None:
        self._failures += 1
        self.restarts += 1
        if self._failures > len(BACKOFF_S):
            reason = f"it died {self._failures} times in a row, last by {how}"
            self._set(State.FAILED, f"{reason}; tried again in {self._rest_s:.0f} s", retry_after_s=self._rest_s)
            await anyio.sleep(self._rest_s)
            self._failures = len(BACKOFF_S)  # one more death and it rests again
            self._set(State.RESTARTING, reason)
            return
        self._set(State.RESTARTING, f"it died by {how}")
        await anyio.sleep(BACKOFF_S[self._failures - 1])

    async def _read_all(self, connection: socket.socket) -> None:
        frames = Frames()
        while True:
            with anyio.move_on_after(self._silence_s) as silence:
                await anyio.wait_readable(connection)
            if silence.cancelled_caught:
                return
            try:
                data = connection.recv(262_144)
                if not data:
                    return
                for frame, size in frames.feed(data):
                    self._take(frame, size)
            except (BlockingIOError, InterruptedError):
                continue
            except (OSError, BrokenFrame, LookupError, TypeError, ZeroDivisionError):
                return  # a worker that cannot be understood is as good as dead

    def _take(self, frame: Frame, size: int) -> None:
        if "steps" in frame:
            steps = frame["steps"]
            for step in steps:
                self._hand_on(step[0], step, size // len(steps))
        elif "failed" in frame:
            self._refusal = str(frame["failed"])
        elif "ready" in frame:
            self.loaded = frame["ready"]
            self._set(State.READY, "; ".join(self.loaded.get("notes", ())))
        elif "alive" not in frame:
            self.cancelled += "cancelled" in frame
            if "usage" in frame:
                self._failures = 0
            self._hand_on(frame.get("id"), frame, size)

    def _hand_on(self, number: Any, said: Said, size: int) -> None:
        if not isinstance(number, int):
            raise BrokenFrame("it belongs to no request")
        exchange = self._exchanges.get(number)
        if exchange is None:
            return
        kept = exchange.put(said, size)
        if not kept:
            self.close(exchange)
        if not kept or isinstance(said, dict):
            exchange.end()

    def _lose_all(self) -> None:
        for exchange in self._exchanges.values():
            exchange.lose()
        self._exchanges.clear()

    # Writing

    def _write(self, frame: Mapping[str, Any]) -> None:
        self._outbox += encode(frame)
        self._wake.set()

    async def _write_all(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):  # the reader sees the same death and acts on it
            while True:
                while self._outbox:
                    await anyio.wait_writable(connection)
                    with contextlib.suppress(BlockingIOError):
                        del self._outbox[: connection.send(self._outbox)]
                self._wake = anyio.Event()
                await self._wake.wait()

    def _set(self, state: State, reason: str = "", retry_after_s: float | None = None) -> None:
        self.status = Status(state, reason, retry_after_s)
        moved, self._moved = self._moved, anyio.Event()
        moved.set()
        if self._tell is not None:
            self._tell(self.status)

"""The engine's side of the frames: loads the model, prepares requests, and runs the scheduler.

Three threads: `handle` is called by whoever reads frames and only notes things down; `prepare` turns requests into
tokens, which takes milliseconds for long prompts; `run` does all the computing.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.core.errors import BadRequest, ConfigurationError, ContextTooLong, GatewayError, Unsupported
from gateway.engine.files.digest import known_sha256_of
from gateway.engine.frames import Frame
from gateway.engine.machine import available_bytes

if TYPE_CHECKING:
    from gateway.engine.batch.context import Context
    from gateway.engine.batch.job import Job
    from gateway.engine.batch.model import Model
    from gateway.engine.batch.rows import Step
    from gateway.engine.batch.scheduler import Scheduler
    from gateway.engine.prompts import Prompts

Send = Callable[[Mapping[str, Any]], None]

KINDS: Mapping[str, type[GatewayError]] = {
    "context": ContextTooLong,
    "unsupported": Unsupported,
    "bad_request": BadRequest,
}
"""How errors about a request travel in a frame; everything else travels as `fault`."""

IDLE_S = 0.5
"""How often an idle engine looks whether it should forget."""


class Worker:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._requests: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._load_frame: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._awake = threading.Event()
        self._lock = threading.Lock()
        self._stopped = False
        self._scheduler: Scheduler | None = None
        self._notes: list[str] = []
        """What the operator should know of the loading."""

    # Called by the reader

    def handle(self, frame: Frame) -> None:
        op = frame["op"]
        if op == "load":
            self._load_frame.put(frame)
        elif op == "cancel":
            scheduler = self._scheduler
            if scheduler is not None:
                scheduler.cancel(frame["id"])
        else:
            self._requests.put(frame)

    def stop(self) -> None:
        """Leave `run` soon, whatever it is doing."""
        with self._lock:
            self._stopped = True
            if self._scheduler is not None:
                self._scheduler.stop()
        self._load_frame.put(None)
        self._requests.put(None)
        self._awake.set()

    # The computing thread

    def run(self) -> None:
        frame = self._load_frame.get()
        if frame is None:
            return
        loaded = self._load(frame)
        if loaded is None:
            return
        model, context, scheduler, prompts = loaded
        preparing = threading.Thread(
            target=self._prepare, args=(prompts, scheduler), name="engine-prompts", daemon=True
        )
        preparing.start()
        self._send({"ready": {"parallel": context.n_sequences, "notes": self._notes}})
        try:
            self._compute(scheduler, frame.get("keep_s"))
        finally:
            self._requests.put(None)
            preparing.join()
            scheduler.close()
            context.close()
            model.close()

    def _compute(self, scheduler: Scheduler, keep_s: float | None) -> None:
        idle_s = 0.0
        while not self._stopped:
            if not scheduler.idle:
                idle_s = 0.0
                scheduler.step()
                continue
            if self._awake.wait(IDLE_S):
                self._awake.clear()
                continue
            idle_s += IDLE_S
            if keep_s is not None and idle_s >= keep_s and scheduler.keeps:
                scheduler.forget()

    def _load(self, frame: Frame) -> tuple[Model, Context, Scheduler, Prompts] | None:
        try:
            loaded = self._open(frame)
        except ConfigurationError as error:
            self._send({"failed": str(error)})
            return None
        except (ImportError, OSError, RuntimeError) as error:
            # A library that is missing or built for another machine; names of files, no text of a request.
            self._send({"failed": f"llama-cpp-python cannot be loaded ({type(error).__name__}): {error}"})
            return None
        with self._lock:
            self._scheduler = loaded[2]
            if self._stopped:
                self._scheduler.stop()
        return loaded

    def _open(self, frame: Frame) -> tuple[Model, Context, Scheduler, Prompts]:
        path = _checked(frame)
        from gateway.engine.batch.model import Model
        from gateway.engine.batch.scheduler import Scheduler
        from gateway.engine.files.adapters import AdapterFile
        from gateway.engine.files.encode import encoded
        from gateway.engine.prompts import Prompts

        path = encoded(
            path, frame["sha256"], frame["encode"], frame["threads"], self._notes.append, stopped=lambda: self._stopped
        )
        adapters = [AdapterFile.from_frame(adapter) for adapter in frame["adapters"]]
        model = Model(path, stopped=lambda: self._stopped, adapters=adapters)
        shift = frame["context_overflow"] == "shift"
        try:
            context = _context(model, frame, shift)
        except BaseException:
            model.close()
            raise
        prompts = Prompts(
            model,
            n_context=context.n_context,
            shift=shift,
            limit=frame["max_tokens"],
            system_prompt=frame["system_prompt"],
        )
        scheduler = Scheduler(
            model,
            context,
            steps=self._tell_steps,
            ended=self._tell_ended,
            failed=self._tell_failed,
            dropped=lambda number: self._send({"id": number, "cancelled": True}),
            shift=shift,
        )
        return model, context, scheduler, prompts

    # The preparing thread

    def _prepare(self, prompts: Prompts, scheduler: Scheduler) -> None:
        try:
            while not self._stopped and (frame := self._requests.get()) is not None:
                self._prepare_one(frame, prompts, scheduler)
        finally:
            self.stop()  # without this thread every request would wait for ever

    def _prepare_one(self, frame: Frame, prompts: Prompts, scheduler: Scheduler) -> None:
        number = frame["id"]
        if scheduler.is_cancelled(number):
            # Who comes and goes must not hold up the others with prompts that nobody waits for.
            self._send({"id": number, "cancelled": True})
            return
        try:
            if frame["op"] == "count":
                self._send({"id": number, "count": prompts.count(frame)})
                return
            scheduler.add(prompts.job(frame))
            self._awake.set()
        except Exception as error:  # noqa: BLE001 - one request's fault must not end the others
            self._tell_error(number, error)

    # What is told

    def _tell_steps(self, steps: Sequence[Step]) -> None:
        self._send({"steps": [tuple(step) for step in steps]})  # orjson takes no named tuples

    def _tell_ended(self, job: Job) -> None:
        facts = {"cached": job.cached, "dropped": job.dropped}
        self._send({"id": job.number, "usage": [len(job.prompt), job.made], "facts": facts})

    def _tell_failed(self, job: Job, error: Exception) -> None:
        self._tell_error(job.number, error)

    def _tell_error(self, number: int, error: Exception) -> None:
        if isinstance(error, GatewayError):
            kind = next((name for name, known in KINDS.items() if isinstance(error, known)), "fault")
            self._send({"id": number, "error": kind, "message": str(error), "param": error.param})
        else:  # only its class is told
            self._send({"id": number, "error": "fault", "message": type(error).__name__, "param": None})


def _checked(frame: Frame) -> Path:
    path = Path(frame["path"])
    if not path.is_file():
        raise ConfigurationError(f"no model file {str(path)!r}; fetch it with `gateway models pull`")
    if frame["sha256"] is not None and (actual := known_sha256_of(path)) != frame["sha256"]:
        raise ConfigurationError(
            f"model file {path.name!r} has sha256 {actual}, expected {frame['sha256']}: it was changed or damaged"
        )
    return path


def _context(model: Model, frame: Frame, shift: bool) -> Context:
    from gateway.engine.batch.context import Context

    context = Context(
        model,
        tokens=frame["context"],
        sequences=_parallel(frame["parallel"], model.cell_bytes * frame["context"]),
        threads=frame["threads"],
    )
    if shift and not context.can_shift:
        context.close()
        raise ConfigurationError(
            "local.context_overflow is shift, but this model's memory cannot shift: set it to error"
        )
    return context


MOST_PARALLEL = 8
"""Answers at once where nobody sets a number: a processor gains little beyond."""


def _parallel(asked: int | None, bytes_each: int) -> int:
    """How many answers at once: as asked, else so many that their cells take a quarter of the memory at most."""
    if asked is not None:
        return asked
    available = available_bytes()
    fitting = MOST_PARALLEL if available is None else available // 4 // max(1, bytes_each)
    return max(1, min(MOST_PARALLEL, fitting))

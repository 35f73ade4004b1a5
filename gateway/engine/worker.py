"""The engine's side of the frames: loads the model, answers one request after the other, stops when told.

Two threads: `handle` is called by whoever reads frames and only notes things down; `run` does all the computing.
"""

from __future__ import annotations

import queue
import secrets
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gateway.core.errors import BadRequest, ConfigurationError, ContextTooLong, GatewayError, Unsupported
from gateway.engine.ask import Ask
from gateway.engine.digest import known_sha256_of
from gateway.engine.frames import Frame

if TYPE_CHECKING:
    from gateway.engine.llama import Llama
    from gateway.engine.template import ChatTemplate

Send = Callable[[Mapping[str, Any]], None]

KINDS: Mapping[str, type[GatewayError]] = {
    "context": ContextTooLong,
    "unsupported": Unsupported,
    "bad_request": BadRequest,
}
"""How errors about a request travel in a frame; everything else travels as `fault`."""


class Worker:
    def __init__(self, send: Send) -> None:
        self._send = send
        self._frames: queue.SimpleQueue[Frame | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._cancelled: set[int] = set()
        self._current: int | None = None
        self._llama: Llama | None = None
        self._template: ChatTemplate | None = None
        self._answer_limit = 0
        self._stopped = False

    # Called by the reader

    def handle(self, frame: Frame) -> None:
        if frame["op"] == "cancel":
            self._cancel(frame["id"])
        else:
            self._frames.put(frame)

    def stop(self) -> None:
        """Leave `run` soon, whatever it is doing."""
        with self._lock:
            self._stopped = True
            if self._llama is not None:
                self._llama.abort()
        self._frames.put(None)

    def _cancel(self, request: int) -> None:
        with self._lock:
            self._cancelled.add(request)
            if self._current == request and self._llama is not None:
                self._llama.abort()

    # The computing thread

    def run(self) -> None:
        try:
            while not self._stopped and (frame := self._frames.get()) is not None:
                if frame["op"] == "load":
                    if not self._load(frame):
                        return
                elif frame["op"] == "count":
                    self._count(frame)
                else:
                    self._serve(frame)
        finally:
            if self._llama is not None:
                self._llama.close()

    def _load(self, frame: Frame) -> bool:
        try:
            self._open(frame)
        except ConfigurationError as error:
            self._send({"failed": str(error)})
            return False
        except (ImportError, OSError, RuntimeError) as error:
            # A library that is missing or built for another machine; names of files, no text of a request.
            self._send({"failed": f"llama-cpp-python cannot be loaded ({type(error).__name__}): {error}"})
            return False
        assert self._llama is not None
        self._send({"ready": {"context": self._llama.n_context}})
        return True

    def _open(self, frame: Frame) -> None:
        path = Path(frame["path"])
        if not path.is_file():
            raise ConfigurationError(f"no model file {str(path)!r}; fetch it with `gateway models pull`")
        if frame["sha256"] is not None and (actual := known_sha256_of(path)) != frame["sha256"]:
            raise ConfigurationError(
                f"model file {path.name!r} has sha256 {actual}, expected {frame['sha256']}: it was changed or damaged"
            )
        from gateway.engine.llama import Llama
        from gateway.engine.template import ChatTemplate

        llama = Llama(path, context=frame["context"], threads=frame["threads"], stopped=lambda: self._stopped)
        with self._lock:
            self._llama = llama
        self._answer_limit = frame.get("max_tokens") or llama.n_context
        self._template = ChatTemplate(llama.template, bos=llama.bos, eos=llama.eos, control_texts=llama.control_texts())

    def _serve(self, frame: Frame) -> None:
        request = frame["id"]
        try:
            if self._begin(request):
                self._answer(request, frame)
        except GatewayError as error:
            kind = next((name for name, known in KINDS.items() if isinstance(error, known)), "fault")
            self._send({"id": request, "error": kind, "message": str(error), "param": error.param})
        except Exception as error:  # noqa: BLE001 - one request's fault must not end the others; only its class is told
            if not self._is_cancelled(request):
                self._send({"id": request, "error": "fault", "message": type(error).__name__, "param": None})
        finally:
            cancelled = self._end(request)
        if cancelled:
            self._send({"id": request, "cancelled": True})

    def _begin(self, request: int) -> bool:
        with self._lock:
            self._current = request
            if self._llama is not None and not self._stopped:
                self._llama.resume()
            return request not in self._cancelled

    def _end(self, request: int) -> bool:
        with self._lock:
            self._current = None
            cancelled = request in self._cancelled
            # Cancels of requests that ended long ago would pile up: ids only grow.
            self._cancelled = {later for later in self._cancelled if later > request}
            return cancelled

    def _is_cancelled(self, request: int) -> bool:
        return self._stopped or request in self._cancelled

    def _tokens(self, frame: Frame) -> list[int]:
        assert self._llama is not None
        assert self._template is not None
        return self._llama.tokens(self._template.render(frame["messages"]))

    def _count(self, frame: Frame) -> None:
        try:
            self._send({"id": frame["id"], "count": len(self._tokens(frame))})
        except BadRequest as error:
            self._send({"id": frame["id"], "error": "bad_request", "message": str(error), "param": error.param})

    def _answer(self, request: int, frame: Frame) -> None:
        from gateway.engine.answer import answer
        from gateway.engine.grammar import to_grammar

        llama = self._llama
        assert llama is not None
        ask = Ask(**{**frame["ask"], "stop": tuple(frame["ask"]["stop"]), "logit_bias": _pairs(frame)})
        grammar = to_grammar(ask.schema) if ask.schema is not None else None
        prompt = self._tokens(frame)
        if len(prompt) >= llama.n_context:
            raise ContextTooLong(
                f"the prompt has {len(prompt)} tokens; the local model holds {llama.n_context} and needs one to answer"
            )
        seed = ask.seed if ask.seed is not None else secrets.randbits(32)
        made = tokens = 0
        for choice in range(ask.n):
            # A seed promises the same answer again, and a prompt computed in other pieces rounds differently.
            llama.prompt(prompt, reuse=ask.seed is None or choice > 0)
            steps = answer(llama, ask, prompt, seed=seed + choice, grammar=grammar, default_limit=self._answer_limit)
            for step in steps:
                if self._is_cancelled(request):
                    return
                entries = step.logprobs if ask.logprobs else None
                self._send({"id": request, "step": [choice, step.text, step.finish, entries]})
                tokens = step.tokens
            made += tokens
        self._send({"id": request, "usage": [len(prompt), made]})


def _pairs(frame: Frame) -> tuple[tuple[int, float], ...]:
    return tuple((token, bias) for token, bias in frame["ask"]["logit_bias"])

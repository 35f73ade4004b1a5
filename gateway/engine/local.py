"""The engine behind the LocalBackend port: checks a request, waits its turn, streams the model's answer."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from typing import Any, Literal

import anyio
import orjson
from anyio.abc import TaskStatus

from gateway.core.errors import BackendBroke, ConfigurationError, ContextTooLong, GatewayError
from gateway.core.types import BackendSpec, Chunk, Decision, Pieces, Request, Usage, Zone
from gateway.engine.ask import HONOURED, parse_ask
from gateway.engine.catalogue import ModelFile
from gateway.engine.frames import Frame
from gateway.engine.hosting import Host, ProcessHost, ThreadHost
from gateway.engine.machine import physical_cores
from gateway.engine.messages import SYSTEM_PROMPT, Message, plain_messages
from gateway.engine.supervisor import State, Status, Supervisor, Unread, WorkerLost
from gateway.engine.turns import Turn, Turns
from gateway.engine.worker import KINDS

CHARACTERS_PER_TOKEN = 256
"""No tokenizer puts more into one token, long runs of spaces excepted."""


class LocalEngine:
    """The small model on this host. Run `run` in a task group; ask with `stream`."""

    honours = HONOURED

    def __init__(
        self,
        model: ModelFile,
        *,
        context: int = 4096,
        threads: int | None = None,
        isolation: Literal["process", "thread"] = "process",
        start_wait_s: float = 60,
        queue: int = 32,
        share: int | None = None,
        languages: Iterable[str] | None = None,
        name: str = "local",
        system_prompt: str = SYSTEM_PROMPT,
        max_tokens: int | None = None,
        changed: Callable[[Status], None] | None = None,
    ) -> None:
        """`queue` requests may wait, of one tenant only `share` where that is set."""
        if model.context and context > model.context:
            raise ConfigurationError(f"local.context is {context}, but {model.id!r} was trained for {model.context}")
        if context < 16:
            raise ConfigurationError(f"local.context is {context}; it must be at least 16")
        self._start_wait_s = start_wait_s
        self._system_prompt = system_prompt
        self._turns = Turns(queue, share=queue if share is None else share)
        load = {
            "path": str(model.path),
            "sha256": model.sha256,
            "context": context,
            "threads": threads or physical_cores(),
            "max_tokens": max_tokens,
        }
        host: Callable[[], Host] = ProcessHost if isolation == "process" else ThreadHost
        self._supervisor = Supervisor(load, host, changed=changed)
        spoken = model.languages if languages is None else frozenset(languages)
        self.spec = BackendSpec(
            name=name,
            zone=Zone.LOCAL,
            wire="llama",
            model=model.id,
            context=context,
            images=False,
            tools=False,
            languages=spoken,
            digest=_digest(model, context, spoken, system_prompt),
        )

    @property
    def state(self) -> State:
        return self._supervisor.status.state

    @property
    def status(self) -> Status:
        return self._supervisor.status

    @property
    def pid(self) -> int | None:
        """The child's process id, for who watches processes; None while there is none."""
        return self._supervisor.pid

    @property
    def restarts(self) -> int:
        return self._supervisor.restarts

    @property
    def cancelled(self) -> int:
        return self._supervisor.cancelled

    @property
    def waiting(self) -> int:
        """Requests that the model has before it, the one being answered included."""
        return self._turns.taken

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Load the model and keep it loaded until cancelled. Returns early only when it can never be loaded."""
        await self._supervisor.run(task_status=task_status)

    async def stream(self, request: Request, decision: Decision) -> AsyncGenerator[Pieces, None]:
        """Yield the answer. Closing the generator stops the model, in the middle of a prompt too."""
        frame = {
            "op": "ask",
            "messages": self._plain(request.messages),
            "ask": asdict(parse_ask(request.body)),
        }
        turn = self._turns.enter(request.principal.tenant)
        try:
            until = anyio.current_time() + self._start_wait_s
            # Before the turn, so that those further back are told in time as well that nothing is loaded.
            await self._ready(until)
            await turn.wait()
            async with aclosing(self._answer(frame, until, turn)) as answer:
                async for pieces in answer:
                    yield pieces
        finally:
            turn.end()

    async def count_tokens(self, messages: Sequence[Mapping[str, Any]]) -> int:
        """Tokens of these messages under the model's own template."""
        await self._supervisor.ready(self._start_wait_s)
        exchange = self._supervisor.send({"op": "count", "messages": self._plain(messages)})
        try:
            frame = (await exchange.frames())[0]
        except WorkerLost as lost:
            raise BackendBroke("the local model broke off") from lost
        finally:
            self._supervisor.close(exchange)
        _raise_error(frame)
        return int(frame["count"])

    def _plain(self, messages: Sequence[Mapping[str, Any]]) -> list[Message]:
        plain = plain_messages(messages, self._system_prompt)
        # Reading tokens cannot be interrupted: what is beyond any doubt too long never gets there.
        if sum(len(message["content"]) for message in plain) > self.spec.context * CHARACTERS_PER_TOKEN:
            raise ContextTooLong(f"the prompt is far longer than the {self.spec.context} tokens the local model holds")
        return plain

    async def _ready(self, until: float) -> None:
        await self._supervisor.ready(max(0.0, until - anyio.current_time()))

    async def _answer(self, frame: Frame, until: float, turn: Turn) -> AsyncGenerator[Pieces, None]:
        """Send it; once more if the worker died before it had said anything.

        The turn ends with the worker's last frame, which may be long before a slow client has taken the first.
        """
        for last in (False, True):
            # A restart takes a second or two: who came early and waited long is not turned away for it.
            await self._ready(max(until, anyio.current_time() + min(5.0, self._start_wait_s)))
            exchange = self._supervisor.send(frame, ended=turn.end)
            begun = False
            try:
                while True:
                    frames = await exchange.frames()
                    begun = True
                    yield [self._chunk(came) for came in frames]
                    if "step" not in frames[-1]:
                        return
            except WorkerLost as lost:
                if begun or last:
                    raise BackendBroke("the local model broke off") from lost
            except Unread:
                raise BackendBroke("the answer was given up: the client does not read it") from None
            finally:
                self._supervisor.close(exchange)

    def _chunk(self, frame: Frame) -> Chunk:
        _raise_error(frame)
        if "usage" in frame:
            prompt, made = frame["usage"]
            return Chunk(usage=Usage(prompt, made), model=self.spec.model)
        choice, text, finish, entries = frame["step"]
        logprobs = {"content": entries, "refusal": None} if entries is not None else None
        return Chunk(choice, {"content": text} if text else {}, finish, logprobs, None, self.spec.model)


def _raise_error(frame: Frame) -> None:
    kind = frame.get("error")
    if kind is None:
        return
    known: type[GatewayError] | None = KINDS.get(kind)
    if known is not None:
        raise known(frame["message"], param=frame["param"])
    raise BackendBroke(f"the local model failed ({frame['message']})")


def _digest(model: ModelFile, context: int, languages: frozenset[str], system_prompt: str) -> str:
    """Of everything that makes this backend answer as it does; a file without a digest counts by size and time."""
    about = model.path.stat() if model.sha256 is None and model.path.exists() else None
    facts = [
        model.id,
        model.sha256 or ([about.st_size, about.st_mtime_ns] if about is not None else None),
        context,
        sorted(languages),
        system_prompt,
    ]
    return hashlib.sha256(orjson.dumps(facts)).hexdigest()

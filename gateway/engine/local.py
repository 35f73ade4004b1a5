"""The engine behind the LocalBackend port: checks a request, waits its turn, streams the model's answer."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import Any, Literal

import anyio
import orjson
from anyio import to_thread
from anyio.abc import TaskStatus

from gateway.core.errors import (
    BackendBroke,
    ConfigurationError,
    ContextTooLong,
    DeadlineExceeded,
    GatewayError,
    QueueFull,
)
from gateway.core.types import BackendSpec, Chunk, Decision, Json, Pieces, Request, Usage, Zone
from gateway.engine.ask import HONOURED, Ask, parse_ask
from gateway.engine.files.adapters import AdapterFile, identity
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.frames import Frame
from gateway.engine.hosting import Host, ProcessHost, ThreadHost
from gateway.engine.machine import physical_cores
from gateway.engine.messages import SYSTEM_PROMPT, Message, plain_messages
from gateway.engine.supervisor import Exchange, Said, State, Status, Supervisor, Unread, WorkerLost
from gateway.engine.turns import Turn, Turns
from gateway.engine.worker import KINDS

CHARACTERS_PER_TOKEN = 256
"""No tokenizer puts more into one token, long runs of spaces excepted."""

READ_AT_ONCE = 2 * 1024
"""Bytes of tools and schemas that are read in a few milliseconds, whatever they say."""

SHIFTED_CONTEXTS = 4
"""A prompt that is shifted while it is read may be so many times longer; the rest is read for nothing."""


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
        parallel: int | None = None,
        encode: Literal["auto", "fast", "off"] = "off",
        adapters: Sequence[AdapterFile] = (),
        context_overflow: Literal["error", "shift"] = "error",
        wait_s: float = 60,
        answer_s: float = 600,
        keep_s: float | None = None,
        changed: Callable[[Status], None] | None = None,
    ) -> None:
        """`parallel` requests are answered at once (None = as many as memory suggests), `queue` may wait.

        Of one tenant only `share` wait, where that is set. A request waits `wait_s` at most and is answered within
        `answer_s`. What former requests left in memory is overwritten after `keep_s` without any.
        """
        if model.context and context > model.context:
            raise ConfigurationError(f"local.context is {context}, but {model.id!r} was trained for {model.context}")
        if context < 16:
            raise ConfigurationError(f"local.context is {context}; it must be at least 16")
        self._start_wait_s = start_wait_s
        self._system_prompt = system_prompt
        self._wait_s = wait_s
        self._answer_s = answer_s
        self._context = context
        self._most_characters = (
            context * CHARACTERS_PER_TOKEN * (SHIFTED_CONTEXTS if context_overflow == "shift" else 1)
        )
        self._tell = changed
        self._reading = anyio.CapacityLimiter(1)  # more at once would only hold each other up
        self._turns = Turns(queue, share=queue if share is None else share, places=parallel or 1)
        self.load_frame: Mapping[str, Any] = {
            "path": str(model.path),
            "sha256": model.sha256,
            "context": context,
            "threads": threads or physical_cores(),
            "max_tokens": max_tokens,
            "parallel": parallel,
            "context_overflow": context_overflow,
            "system_prompt": system_prompt,
            "keep_s": keep_s,
            "encode": encode,
            "adapters": [file.to_frame() for file in adapters],
        }
        host: Callable[[], Host] = ProcessHost if isolation == "process" else ThreadHost
        self._supervisor = Supervisor(self.load_frame, host, changed=self._changed)
        spoken = model.languages if languages is None else frozenset(languages)
        self.spec = BackendSpec(
            name=name,
            zone=Zone.LOCAL,
            wire="llama",
            model=model.id,
            context=context,
            images=False,
            tools=model.tools,
            makeshift=makeshift(model.tools, context_overflow),
            languages=spoken,
            adapters=tuple(file.name for file in adapters),
            digest=_digest(model, context, spoken, system_prompt, context_overflow, encode, identity(adapters)),
        )

    def _changed(self, status: Status) -> None:
        if status.state is State.READY:
            self._turns.resize(int(self._supervisor.loaded.get("parallel", 1)))
        if self._tell is not None:
            self._tell(status)

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
        """Requests that the model has before it, those being answered included."""
        return self._turns.taken

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Load the model and keep it loaded until cancelled. Returns early only when it can never be loaded."""
        await self._supervisor.run(task_status=task_status)

    async def stream(self, request: Request, decision: Decision) -> AsyncGenerator[Pieces, None]:
        """Yield the answer. Closing the generator stops the model, in the middle of a prompt too."""
        ask = await self._ask(request.body)
        frame = {
            "op": "ask",
            "messages": self._plain(request.messages, request.body.get("tools") if ask.tools is not None else None),
            "ask": ask,
            "tenant": request.principal.tenant,
            "adapter": decision.adapter,
        }
        turn = self._turns.enter(request.principal.tenant, ask.n)
        try:
            until = anyio.current_time() + self._start_wait_s
            # Before the turn, so that those further back are told in time as well that nothing is loaded.
            await self._ready(until)
            await self._wait(turn)
            async with aclosing(self._answer(frame, until, turn)) as answer:
                async for pieces in answer:
                    yield pieces
        finally:
            turn.end()

    async def _wait(self, turn: Turn) -> None:
        with anyio.move_on_after(self._wait_s):
            await turn.wait()
            return
        raise QueueFull(
            f"the local model was busy with others for {self._wait_s:g} s", retry_after_s=self._turns.retry_s
        )

    async def count_tokens(self, messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any] | None = None) -> int:
        """Tokens of these messages under the model's own template, with the tools that `body` offers."""
        tools = None if body is None else (await self._ask(body)).tools
        plain = self._plain(messages, None if tools is None or body is None else body.get("tools"))
        await self._supervisor.ready(self._start_wait_s)
        exchange = self._supervisor.send({"op": "count", "messages": plain, "tools": tools})
        try:
            [frame] = await exchange.frames()
            assert isinstance(frame, dict)
        except WorkerLost as lost:
            raise BackendBroke("the local model broke off") from lost
        finally:
            self._supervisor.close(exchange)
        _raise_error(frame)
        return int(frame["count"])

    async def _ask(self, body: Mapping[str, Any]) -> Ask:
        """What is asked, read beside the event loop where it is long: schemas take up to a second, and others wait."""
        tools = self._bounded([body.get("tools"), body.get("functions")])
        if tools + len(orjson.dumps(body.get("response_format"))) <= READ_AT_ONCE:
            return parse_ask(body)
        return await to_thread.run_sync(parse_ask, body, limiter=self._reading)

    def _plain(self, messages: Sequence[Mapping[str, Any]], tools: Json = None) -> list[Message]:
        plain = plain_messages(messages, self._system_prompt)
        self._bounded([plain, tools])
        return plain

    def _bounded(self, said: Json) -> int:
        """Its size. Reading tokens cannot be interrupted: what is beyond any doubt too long never gets there."""
        size = len(orjson.dumps(said))
        if size > self._most_characters:
            raise ContextTooLong(f"the prompt is far longer than the {self._context} tokens the local model holds")
        return size

    async def _ready(self, until: float) -> None:
        await self._supervisor.ready(max(0.0, until - anyio.current_time()))

    async def _answer(self, frame: Frame, until: float, turn: Turn) -> AsyncGenerator[Pieces, None]:
        """Send it; once more if the worker died before it had said anything.

        The turn ends with the worker's last frame, which may be long before a slow client has taken the first.
        """
        deadline = anyio.current_time() + self._answer_s
        for last in (False, True):
            # A restart takes a second or two: who came early and waited long is not turned away for it.
            await self._ready(max(until, anyio.current_time() + min(5.0, self._start_wait_s)))
            exchange = self._supervisor.send(frame, ended=turn.end)
            begun = False
            try:
                while True:
                    said = await self._within(deadline, exchange)
                    begun = True
                    yield [self._chunk(one) for one in said]
                    if isinstance(said[-1], dict):
                        return
            except WorkerLost as lost:
                if begun or last:
                    raise BackendBroke("the local model broke off") from lost
            except Unread:
                raise BackendBroke("the answer was given up: the client does not read it") from None
            finally:
                self._supervisor.close(exchange)

    async def _within(self, deadline: float, exchange: Exchange) -> list[Said]:
        with anyio.move_on_after(max(0.0, deadline - anyio.current_time())):
            return await exchange.frames()
        raise DeadlineExceeded(f"the local model took longer than {self._answer_s:g} s")

    def _chunk(self, said: Said) -> Chunk:
        model = self.spec.model
        if isinstance(said, dict):
            _raise_error(said)
            prompt, made = said["usage"]
            return Chunk(usage=Usage(prompt, made, _details(said["facts"])), model=model)
        _, choice, delta, finish, entries, sure = said
        logprobs = {"content": entries, "refusal": None} if entries is not None else None
        return Chunk(choice, delta, finish, logprobs, None, model, sure)


def makeshift(tools: bool, context_overflow: str) -> frozenset[str]:
    """What the engine does with any model, well or not: it makes each write calls, and shifts what is too long."""
    shifts = {"context"} if context_overflow == "shift" else set()
    return frozenset(shifts if tools else {"tools"} | shifts)


def _details(facts: Mapping[str, int]) -> dict[str, Any]:
    """What OpenAI's usage says beside the sums, and whether the context had to be shifted."""
    details: dict[str, Any] = {"prompt_tokens_details": {"cached_tokens": facts["cached"]}}
    if facts["dropped"]:
        details["context"] = {"shifted": True, "dropped": facts["dropped"]}
    return details


def _raise_error(frame: Frame) -> None:
    kind = frame.get("error")
    if kind is None:
        return
    known: type[GatewayError] | None = KINDS.get(kind)
    if known is not None:
        raise known(frame["message"], param=frame["param"])
    raise BackendBroke(f"the local model failed ({frame['message']})")


def _digest(model: ModelFile, context: int, languages: frozenset[str], *others: Any) -> str:
    """Of everything that makes this backend answer as it does; a file without a digest counts by size and time."""
    about = model.path.stat() if model.sha256 is None and model.path.exists() else None
    facts = [
        model.id,
        model.sha256 or ([about.st_size, about.st_mtime_ns] if about is not None else None),
        context,
        sorted(languages),
        *others,
    ]
    return hashlib.sha256(orjson.dumps(facts)).hexdigest()

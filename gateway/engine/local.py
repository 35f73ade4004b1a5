"""The engine behind the LocalBackend port: checks a request, waits its turn, streams the model's answer."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import anyio
import orjson
from anyio import to_thread
from anyio.abc import TaskStatus

from gateway.core.errors import (
    BackendBroke,
    ContextTooLong,
    DeadlineExceeded,
    GatewayError,
    QueueFull,
)
from gateway.core.types import BackendSpec, Chunk, Decision, Json, Pieces, Request, Usage, Zone
from gateway.engine.ask import HONOURED, Ask, parse_ask
from gateway.engine.files.adapters import identity
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.frames import Frame
from gateway.engine.hosting import Host, ProcessHost, ThreadHost
from gateway.engine.messages import Message, plain_messages
from gateway.engine.options import EngineOptions
from gateway.engine.supervisor import Exchange, Said, State, Status, Supervisor, Unread, WorkerLost
from gateway.engine.turns import Turn, Turns
from gateway.engine.worker import KINDS

READ_AT_ONCE = 2 * 1024
"""Bytes of tools and schemas that are read in a few milliseconds, whatever they say."""


class LocalEngine:
    """The small model on this host. Run `run` in a task group; ask with `stream`."""

    honours = HONOURED

    def __init__(
        self,
        model: ModelFile,
        options: EngineOptions | None = None,
        *,
        changed: Callable[[Status], None] | None = None,
    ) -> None:
        """`changed` is told whenever the engine started, died or gave up. Raises ConfigurationError."""
        options = options or EngineOptions()
        options.fit(model)
        self._options = options
        self._tell = changed
        self._reading = anyio.CapacityLimiter(1)  # more at once would only hold each other up
        share = options.queue if options.share is None else options.share
        self._turns = Turns(options.queue, share=share, places=options.parallel or 1)
        self.load_frame = options.to_frame(model)
        host: Callable[[], Host] = ProcessHost if options.isolation == "process" else ThreadHost
        self._supervisor = Supervisor(self.load_frame, host, changed=self._changed)
        self.spec = _spec(model, options)

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
            until = anyio.current_time() + self._options.start_wait_s
            # Before the turn, so that those further back are told in time as well that nothing is loaded.
            await self._ready(until)
            await self._wait(turn)
            async with aclosing(self._answer(frame, until, turn)) as answer:
                async for pieces in answer:
                    yield pieces
        finally:
            turn.end()

    async def _wait(self, turn: Turn) -> None:
        with anyio.move_on_after(self._options.wait_s):
            await turn.wait()
            return
        raise QueueFull(
            f"the local model was busy with others for {self._options.wait_s:g} s", retry_after_s=self._turns.retry_s
        )

    async def count_tokens(self, messages: Sequence[Mapping[str, Any]], body: Mapping[str, Any] | None = None) -> int:
        """Tokens of these messages under the model's own template, with the tools that `body` offers."""
        tools = None if body is None else (await self._ask(body)).tools
        plain = self._plain(messages, None if tools is None or body is None else body.get("tools"))
        await self._supervisor.ready(self._options.start_wait_s)
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
        plain = plain_messages(messages, self._options.system_prompt)
        self._bounded([plain, tools])
        return plain

    def _bounded(self, said: Json) -> int:
        """Its size. Reading tokens cannot be interrupted: what is beyond any doubt too long never gets there."""
        size = len(orjson.dumps(said))
        if size > self._options.most_characters:
            raise ContextTooLong(
                f"the prompt is far longer than the {self._options.context} tokens the local model holds"
            )
        return size

    async def _ready(self, until: float) -> None:
        await self._supervisor.ready(max(0.0, until - anyio.current_time()))

    async def _answer(self, frame: Frame, until: float, turn: Turn) -> AsyncGenerator[Pieces, None]:
        """Send it; once more if the worker died before it had said anything.

        The turn ends with the worker's last frame, which may be long before a slow client has taken the first.
        """
        deadline = anyio.current_time() + self._options.answer_s
        for last in (False, True):
            # A restart takes a second or two: who came early and waited long is not turned away for it.
            await self._ready(max(until, anyio.current_time() + min(5.0, self._options.start_wait_s)))
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
        raise DeadlineExceeded(f"the local model took longer than {self._options.answer_s:g} s")

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


def _spec(model: ModelFile, options: EngineOptions) -> BackendSpec:
    spoken = model.languages if options.languages is None else options.languages
    return BackendSpec(
        name=options.name,
        zone=Zone.LOCAL,
        wire="llama",
        model=model.id,
        context=options.context,
        images=False,
        tools=model.tools,
        makeshift=makeshift(model.tools, options.context_overflow),
        languages=spoken,
        adapters=tuple(file.name for file in options.adapters),
        digest=_digest(
            model,
            options.context,
            spoken,
            options.system_prompt,
            options.context_overflow,
            options.encode,
            identity(options.adapters),
        ),
    )


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

"""What happens when the worker dies, hangs back or never loads."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from contextlib import aclosing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from gateway.core.errors import BackendBroke, ConfigurationError, LocalUnavailable
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.frames import encode, read_frames
from gateway.engine.hosting import ProcessHost, how_it_ended
from gateway.engine.local import LocalEngine
from gateway.engine.options import EngineOptions
from gateway.engine.supervisor import BACKOFF_S, State, Status, Supervisor

pytestmark = pytest.mark.anyio


async def test_a_killed_child_breaks_the_started_answer_and_the_next_one_works(model: ModelFile, tools: Any) -> None:
    async with tools.running(LocalEngine(model, EngineOptions(context=512))) as engine:
        async with aclosing(
            engine.stream(tools.request("Tell a story.", logit_bias={"2": -100}), tools.decision)
        ) as it:
            await anext(it)
            os.kill(engine.pid, signal.SIGKILL)
            with pytest.raises(BackendBroke):
                async for _ in it:
                    pass
        assert (await tools.say(engine, "Hi", max_tokens=2)).finishes[0]
        assert engine.restarts == 1
        assert engine.state is State.READY


async def test_a_request_without_a_first_token_is_answered_by_the_next_child(model: ModelFile, tools: Any) -> None:
    answers = []

    async def ask() -> None:
        answers.append(await tools.say(engine, "What is the capital of France?", temperature=0))

    async with tools.running(LocalEngine(model, EngineOptions(context=512))) as engine:
        await tools.say(engine, "Hi", max_tokens=1)
        child = engine.pid
        os.kill(child, signal.SIGSTOP)  # it takes the request and cannot begin
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(ask)
            await anyio.sleep(0.1)
            os.kill(child, signal.SIGKILL)
        assert "Paris" in answers[0].text
        assert engine.pid not in {None, child}


async def test_stopping_leaves_no_child_behind(model: ModelFile, tools: Any) -> None:
    async with tools.running(LocalEngine(model, EngineOptions(context=512))) as engine:
        await tools.say(engine, "Hi", max_tokens=1)
        child = engine.pid
    assert engine.state is State.STOPPED
    assert engine.pid is None
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


async def test_a_child_whose_parent_vanishes_ends_by_itself() -> None:
    ours, theirs = socket.socketpair()
    from gateway.engine.child import serve

    thread = threading.Thread(target=serve, args=(theirs,))
    thread.start()
    ours.close()
    await anyio.to_thread.run_sync(thread.join, 60)
    assert not thread.is_alive()


MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "text": lambda _: b"this is a poem, not a model\n" * 100,
    "truncated": lambda good: good[:1_000_000],
    "absurd counts": lambda good: good[:8] + b"\xff" * 16 + good[24:4096],
    "damaged metadata": lambda good: good[:64] + bytes(byte ^ 0x5A for byte in good[64:2048]) + good[2048:500_000],
}


@pytest.mark.parametrize("damage", MALFORMED.values(), ids=MALFORMED.keys())
async def test_a_malformed_file_fails_with_a_reason_and_harms_nothing(
    model: ModelFile, tools: Any, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "bad.gguf"
    path.write_bytes(damage(model.path.read_bytes()))
    engine = LocalEngine(ModelFile("bad", path), EngineOptions(context=512))
    with anyio.fail_after(120):
        await engine.run()
    assert engine.state is State.FAILED
    assert "bad.gguf" in engine.status.reason
    with pytest.raises(LocalUnavailable) as refused:
        await tools.say(engine, "Hi")
    assert "bad.gguf" not in str(refused.value), "clients learn nothing of the disk"


@pytest.mark.parametrize("isolation", ["process", "thread"])
async def test_a_file_with_another_digest_is_not_loaded(model: ModelFile, isolation: Any) -> None:
    engine = LocalEngine(replace(model, sha256="0" * 64), EngineOptions(isolation=isolation))
    with anyio.fail_after(120):
        await engine.run()
    assert engine.state is State.FAILED
    assert "expected 0000" in engine.status.reason


async def test_a_context_beyond_the_training_is_refused_before_anything_starts(model: ModelFile) -> None:
    with pytest.raises(ConfigurationError, match="trained for 8192"):
        LocalEngine(model, EngineOptions(context=16384))


async def test_a_context_beyond_the_training_is_refused_for_files_nobody_knows(model: ModelFile) -> None:
    engine = LocalEngine(replace(model, context=0), EngineOptions(context=16384))
    with anyio.fail_after(120):
        await engine.run()
    assert "trained for 8192" in engine.status.reason


async def test_a_request_waits_for_the_model_no_longer_than_start_wait_s(model: ModelFile, tools: Any) -> None:
    engine = LocalEngine(model, EngineOptions(start_wait_s=0.05))  # never run: it stays at starting
    with pytest.raises(LocalUnavailable) as refused:
        await tools.say(engine, "Hi")
    assert refused.value.retry_after_s
    assert engine.state is State.STARTING
    assert engine.waiting == 0


async def test_a_request_that_comes_while_it_loads_is_answered(model: ModelFile, tools: Any) -> None:
    async with tools.running(LocalEngine(model, EngineOptions(context=512))) as engine:
        assert engine.state is State.STARTING
        assert (await tools.say(engine, "Hi", max_tokens=1)).finishes == {0: ["length"]}


class FakeHost:
    """A worker in a thread that follows a script: what to answer to each frame, None to die."""

    pid = 1

    def __init__(self, script: Callable[[dict[str, Any]], list[dict[str, Any]] | None]) -> None:
        self.connection, theirs = socket.socketpair()
        self.connection.setblocking(False)
        self._thread = threading.Thread(target=self._work, args=(theirs, script), daemon=True)
        self._thread.start()

    @staticmethod
    def _work(theirs: socket.socket, script: Callable[[dict[str, Any]], list[dict[str, Any]] | None]) -> None:
        with theirs:
            for frame in read_frames(theirs):
                answers = script(frame)
                if answers is None:
                    return
                for answer in answers:
                    with suppress(OSError):  # nobody is there to hear it any more
                        theirs.sendall(encode(answer))

    async def end(self) -> str:
        self.connection.close()
        await anyio.to_thread.run_sync(self._thread.join)
        return "signal SIGTEST"


async def test_a_worker_that_keeps_dying_rests_and_is_tried_again() -> None:
    told: list[Status] = []
    lives = iter(range(100))

    def host() -> FakeHost:
        alive = next(lives) > len(BACKOFF_S)
        return FakeHost(lambda _: [{"ready": {}}] if alive else None)

    supervisor = Supervisor({}, host, changed=told.append, rest_s=0.05)
    async with anyio.create_task_group() as tasks:
        await tasks.start(supervisor.run)
        with anyio.fail_after(60):
            while supervisor.status.state is not State.READY:
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    states = [status.state for status in told]
    assert states.count(State.FAILED) == 1
    resting = told[states.index(State.FAILED)]
    assert resting.reason.endswith("SIGTEST; tried again in 0 s")
    assert resting.retry_after_s == 0.05
    assert states[-2:] == [State.READY, State.STOPPED]


async def test_a_death_is_told_once_with_how_it_came() -> None:
    told: list[Status] = []

    def until_asked(frame: dict[str, Any]) -> list[dict[str, Any]] | None:
        return [{"ready": {}}] if frame["op"] == "load" else None

    supervisor = Supervisor({}, lambda: FakeHost(until_asked), changed=told.append)
    async with anyio.create_task_group() as tasks:
        await tasks.start(supervisor.run)
        with anyio.fail_after(60):
            await supervisor.ready(20)
            supervisor.send({"op": "ask"})
            while supervisor.restarts == 0 or supervisor.status.state is not State.READY:
                await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    assert [(status.state, status.reason) for status in told[:3]] == [
        (State.READY, ""),
        (State.RESTARTING, "it died by signal SIGTEST"),
        (State.READY, ""),
    ]


async def test_a_child_that_hangs_is_ended_and_replaced(model: ModelFile, tools: Any) -> None:
    supervisor = Supervisor(LocalEngine(model, EngineOptions(context=512)).load_frame, ProcessHost, silence_s=5.0)
    async with anyio.create_task_group() as tasks:
        await tasks.start(supervisor.run)
        await supervisor.ready(60)
        hung = supervisor.pid
        assert hung is not None
        os.kill(hung, signal.SIGSTOP)
        with anyio.fail_after(60):
            while supervisor.restarts == 0 or supervisor.status.state is not State.READY:
                await anyio.sleep(0.05)
        assert supervisor.pid not in {None, hung}
        tasks.cancel_scope.cancel()


async def test_a_child_with_nothing_to_do_is_left_alone(model: ModelFile) -> None:
    supervisor = Supervisor(LocalEngine(model, EngineOptions(context=512)).load_frame, ProcessHost, silence_s=5.0)
    async with anyio.create_task_group() as tasks:
        await tasks.start(supervisor.run)
        await supervisor.ready(60)
        await anyio.sleep(6)
        assert supervisor.restarts == 0
        tasks.cancel_scope.cancel()


async def test_a_resting_engine_turns_requests_away_at_once() -> None:
    supervisor = Supervisor({}, lambda: FakeHost(lambda _: None), rest_s=60)
    async with anyio.create_task_group() as tasks:
        await tasks.start(supervisor.run)
        with anyio.fail_after(60):
            while supervisor.status.state is not State.FAILED:
                await anyio.sleep(0.01)
        with pytest.raises(LocalUnavailable) as refused:
            await supervisor.ready(60)
        assert refused.value.retry_after_s == 60
        tasks.cancel_scope.cancel()


async def test_a_request_that_kills_every_worker_is_given_up_after_the_second(model: ModelFile, tools: Any) -> None:
    engine = LocalEngine(model)
    asked = []

    def script(frame: dict[str, Any]) -> list[dict[str, Any]] | None:
        if frame["op"] == "load":
            return [{"ready": {}}]
        asked.append(frame["id"])
        return None

    engine._supervisor = Supervisor({}, lambda: FakeHost(script))
    async with tools.running(engine):
        with pytest.raises(BackendBroke):
            await tools.say(engine, "Hi")
    assert len(asked) == 2


NONSENSE = {
    "no JSON": b"\x00\x00\x00\x02{]",
    "of no request": encode({"usage": [1, 1]}),
    "a step of nothing": encode({"steps": [[]]}),
    "steps that are none": encode({"steps": 3}),
    "of no request there can be": encode({"id": [1], "usage": [1, 1]}),
}


@pytest.mark.parametrize("nonsense", NONSENSE.values(), ids=NONSENSE)
async def test_a_worker_that_talks_nonsense_is_replaced(model: ModelFile, tools: Any, nonsense: bytes) -> None:
    lives = iter([nonsense, None])
    engine = LocalEngine(model)

    class Mad(FakeHost):
        def __init__(self, says: bytes | None) -> None:
            super().__init__(_well_behaved)
            if says is not None:
                ours, theirs = socket.socketpair()
                ours.setblocking(False)
                theirs.sendall(says)
                self.connection.close()
                self.connection, self._theirs = ours, theirs

        async def end(self) -> str:
            if hasattr(self, "_theirs"):
                self._theirs.close()
            return await super().end()

    engine._supervisor = Supervisor({}, lambda: Mad(next(lives)))
    async with tools.running(engine):
        assert (await tools.say(engine, "Hi")).text == "well"
    assert engine.restarts == 1


def _well_behaved(frame: dict[str, Any]) -> list[dict[str, Any]]:
    if frame["op"] == "load":
        return [{"ready": {}}]
    if frame["op"] == "cancel":
        return []
    number = frame["id"]
    step = [number, 0, {"content": "well"}, "stop", None, []]
    return [{"steps": [step]}, {"id": number, "usage": [1, 1], "facts": {"cached": 0, "dropped": 0}}]


async def test_a_fault_in_the_worker_is_told_by_class_alone(model: ModelFile, tools: Any) -> None:
    engine = LocalEngine(model)

    def script(frame: dict[str, Any]) -> list[dict[str, Any]]:
        if frame["op"] == "load":
            return [{"ready": {}}]
        return [{"id": frame["id"], "error": "fault", "message": "EngineFault", "param": None}]

    engine._supervisor = Supervisor({}, lambda: FakeHost(script))
    async with tools.running(engine):
        with pytest.raises(BackendBroke, match="EngineFault"):
            await tools.say(engine, "Hi")
        assert engine.state is State.READY


def _talkative(frame: dict[str, Any]) -> list[dict[str, Any]]:
    """A worker that answers 2,000 frames of 1,000 bytes to who says much, and two to others."""
    if frame["op"] == "load":
        return [{"ready": {"context": 512}}]
    if frame["op"] == "cancel":
        return []
    count = 2000 if frame["messages"][-1]["content"] == "much" else 2
    steps = [{"steps": [[frame["id"], 0, {"content": "a" * 1000}, None, None, []]]} for _ in range(count)]
    return [*steps, {"id": frame["id"], "usage": [1, count], "facts": {"cached": 0, "dropped": 0}}]


@pytest.mark.parametrize("unread_bytes", [4_000_000, 1_000_000], ids=["kept for it", "too much to keep"])
async def test_a_reader_that_does_not_read_holds_up_nobody(model: ModelFile, tools: Any, unread_bytes: int) -> None:
    engine = LocalEngine(model, EngineOptions(queue=4))
    engine._supervisor = Supervisor({}, lambda: FakeHost(_talkative), unread_bytes=unread_bytes)
    async with tools.running(engine), aclosing(engine.stream(tools.request("much"), tools.decision)) as unread:
        begun = await anext(unread)
        with anyio.fail_after(60):
            said = await tools.say(engine, "little")
        assert said.usage.completion_tokens == 2
        assert engine.waiting == 0
        if unread_bytes > 2_000_000:
            chunks = [*begun, *[chunk async for pieces in unread for chunk in pieces]]
            assert sum(len(chunk.delta.get("content", "")) for chunk in chunks) == 2_000_000
        else:
            with pytest.raises(BackendBroke, match="does not read"):
                await anext(unread)


@pytest.mark.parametrize(
    ("status", "said"),
    [(3, "exit status 3"), (-9, "signal SIGKILL"), (-4, "compiled for another processor"), (-77, "signal 77")],
)
def test_how_a_child_ended_is_said_in_words(status: int, said: str) -> None:
    assert said in how_it_ended(status)

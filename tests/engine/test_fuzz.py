"""Nonsense on every side of the engine: bytes and frames for its process, request bodies for its door.

The process ends or passes it over and never hangs; whatever a body says, the model's process survives it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.core.errors import GatewayError
from gateway.engine.child import serve
from gateway.engine.files.catalogue import ModelFile
from gateway.engine.frames import Frames, encode
from gateway.engine.hosting import ProcessHost
from gateway.engine.local import LocalEngine
from gateway.engine.options import EngineOptions

pytestmark = [pytest.mark.anyio, pytest.mark.model]

FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])

# ── Bytes and frames before anything is loaded ──────────────────────────────────────────────────────────────────────

json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**40), 2**40)
    | st.floats(allow_nan=False, width=32)
    | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
frames = st.dictionaries(
    st.sampled_from(["op", "id", "messages", "ask", "tenant", "adapter", "path", "sha256", "context", "threads", "x"]),
    st.sampled_from(["load", "ask", "count", "cancel", "unload", ""]) | json_values,
    max_size=6,
)


@FEW
@example(b"")
@example(b"\x00\x00\x00\x00")
@example(b"\xff\xff\xff\xff" + b"a" * 100)
@example(b"\x00\x00\x00\x02{}")
@example(encode({"op": "load"}))
@example(encode({"op": "load", "path": "/nowhere", "sha256": None, "context": 512, "threads": 1}))
@example(encode({"op": "ask"}) * 3)
@given(
    st.binary(max_size=64)
    | st.lists(frames.map(encode), max_size=4).map(b"".join)
    | frames.map(encode).map(lambda one: one[:-1])
)
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_child_that_is_told_nonsense_ends_when_its_parent_leaves(said: bytes) -> None:
    ours, theirs = socket.socketpair()

    def run() -> None:
        # A frame that cannot be understood ends the child; its exit is all that its parent looks at.
        with contextlib.suppress(KeyError, TypeError, AttributeError, ValueError):
            serve(theirs)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    with ours, contextlib.suppress(OSError):
        ours.sendall(said)
    thread.join(20)
    assert not thread.is_alive()
    assert theirs.fileno() == -1, "its end of the line is closed"


@FEW
@given(st.lists(st.binary(max_size=12), max_size=12))
def test_frames_are_cut_alike_however_the_bytes_came(pieces: list[bytes]) -> None:
    whole = b"".join(encode({"piece": list(piece)}) for piece in pieces)
    rng = random.Random(len(whole))
    taken, at, cutter = [], 0, Frames()
    while at < len(whole):
        size = rng.randint(1, 9)
        taken += [frame["piece"] for frame, _ in cutter.feed(whole[at : at + size])]
        at += size
    assert taken == [list(piece) for piece in pieces]


# ── Frames for a child that has its model ───────────────────────────────────────────────────────────────────────────


class Loaded:
    """A real child, spoken to in frames, without the supervisor that would send only good ones."""

    def __init__(self, model: ModelFile) -> None:
        self.host = ProcessHost()
        self.connection = self.host.connection
        self.connection.setblocking(True)
        self.connection.settimeout(240)
        self._frames = Frames()
        self._taken: list[dict[str, Any]] = []
        self._number = 0
        self.send(
            op="load", path=str(model.path), sha256=None, context=256, threads=1, max_tokens=8, parallel=2,
            context_overflow="error", system_prompt="Be brief.", keep_s=None, encode="off", adapters=[],
        )  # fmt: skip
        while "ready" not in (frame := self.take()):
            assert "failed" not in frame

    def send(self, **frame: Any) -> None:
        self.connection.sendall(encode(frame))

    def take(self) -> dict[str, Any]:
        while not self._taken:
            data = self.connection.recv(65536)
            assert data, "the child is gone"
            self._taken += [frame for frame, _ in self._frames.feed(data)]
        return self._taken.pop(0)

    def number(self) -> int:
        self._number += 1
        return self._number

    def answers(self) -> None:
        """It still counts the tokens of a good question, and answers it."""
        for op in ("count", "ask"):
            number = self.number()
            self.send(op=op, id=number, **GOOD)
            while (frame := self.take()).get("id") != number:
                pass
            assert "count" in frame if op == "count" else "usage" in frame


GOOD: dict[str, Any] = {
    "messages": [{"role": "user", "content": "Hi"}],
    "tenant": "a",
    "adapter": None,
    "ask": {"max_tokens": 2, "stop": [], "logit_bias": [], "tools": None},
}


@pytest.fixture(scope="module")
def loaded(model: ModelFile) -> Iterator[Loaded]:
    child = Loaded(model)
    yield child
    anyio.run(child.host.end)


def says_what_is_wrong(child: Loaded, op: str, **changed: Any) -> None:
    number = child.number()
    child.send(**{**GOOD, "op": op, "id": number, **changed})
    while (frame := child.take()).get("id") != number:
        pass
    assert {"error", "usage", "count"} & set(frame)
    child.answers()


@FEW
@given(st.sampled_from(["messages", "ask", "tenant"]), json_values, st.sampled_from(["ask", "count"]))
def test_a_loaded_child_says_what_is_wrong_with_a_frame_and_answers_the_next(
    loaded: Loaded, key: str, value: Any, op: str
) -> None:
    says_what_is_wrong(loaded, op, **{key: value})


@FEW
@given(
    st.sampled_from(["temperature", "top_p", "top_k", "min_p", "seed", "repeat_penalty", "presence_penalty", "stop"]),
    json_values,
)
def test_a_parameter_that_breaks_the_sampler_breaks_its_own_request_alone(
    loaded: Loaded, name: str, value: Any
) -> None:
    says_what_is_wrong(loaded, "ask", ask={**GOOD["ask"], name: value})


def test_cancelling_what_never_came_or_long_ended_disturbs_nobody(loaded: Loaded) -> None:
    for number in (0, -1, 10**12, loaded.number()):
        loaded.send(op="cancel", id=number)
    loaded.answers()


# ── Request bodies ──────────────────────────────────────────────────────────────────────────────────────────────────

words = st.sampled_from(
    ["Hi", "", " ", "🦙", "\u0000", "<|im_start|>system", "<|im_end|>", "<tool_call>", "\u2060", "é" * 40]
)
texts = st.lists(words | st.text(max_size=6), max_size=4).map("".join)
messages = st.lists(
    st.fixed_dictionaries(
        {"role": st.sampled_from(["user", "assistant", "system", "developer", "tool", "function", "nobody"])},
        optional={
            "content": texts
            | st.none()
            | st.lists(st.fixed_dictionaries({"type": st.just("text"), "text": texts}), max_size=2),
            "tool_calls": st.lists(
                st.fixed_dictionaries(
                    {"id": texts, "function": st.fixed_dictionaries({"name": texts, "arguments": texts | json_values})}
                ),
                max_size=2,
            ),
            "tool_call_id": texts,
            "name": texts,
        },
    ),
    min_size=1,
    max_size=4,
)
schemas: st.SearchStrategy[Any] = st.recursive(
    st.sampled_from(
        [
            {},
            True,
            {"type": "string"},
            {"type": "integer"},
            {"type": ["null", "boolean"]},
            {"const": None},
            {"enum": []},
        ]
    )
    | st.fixed_dictionaries({"enum": st.lists(json_values, max_size=3)})
    | st.fixed_dictionaries({"type": st.just("string"), "maxLength": st.integers(-1, 600)})
    | st.sampled_from([{"$ref": "#/$defs/a"}, {"$ref": "#"}, {"pattern": "a+"}, {"type": "string", "format": "uuid"}]),
    lambda inner: (
        st.fixed_dictionaries({"type": st.just("array"), "items": inner, "minItems": st.integers(0, 120)})
        | st.fixed_dictionaries({"anyOf": st.lists(inner, max_size=3)})
        | st.fixed_dictionaries(
            {"type": st.just("object"), "properties": st.dictionaries(texts, inner, max_size=3)},
            optional={
                "required": st.lists(texts, max_size=2),
                "additionalProperties": inner,
                "$defs": st.fixed_dictionaries({"a": inner}),
            },
        )
    ),
    max_leaves=6,
)
functions = st.fixed_dictionaries(
    {"name": st.sampled_from(["weather", "clock", "a.b-c", "root", "x" * 64, "x y"])},
    optional={"description": texts, "parameters": schemas | st.none(), "strict": st.booleans()},
)
numbers = st.integers(-3, 3) | st.floats(-3, 3) | st.sampled_from([0, 1, 2**31 - 1, 2**63, 1e300, True, "1"])
bodies = st.fixed_dictionaries(
    {"messages": messages},
    optional={
        "temperature": numbers,
        "top_p": numbers,
        "top_k": numbers,
        "min_p": numbers,
        "presence_penalty": numbers,
        "frequency_penalty": numbers,
        "repetition_penalty": numbers,
        "seed": numbers | st.integers(-(2**63), 2**64 - 1),
        "n": st.integers(0, 3) | st.sampled_from([16, 17, 1.5]),
        "stop": texts | st.lists(texts, max_size=4),
        "logprobs": st.booleans(),
        "top_logprobs": st.integers(-1, 21),
        "logit_bias": st.dictionaries(
            st.integers(-1, 49_152).map(str) | st.sampled_from(["0", "2", "x", "4294967296"]),
            numbers | st.integers(-100, 100),
            max_size=4,
        ),
        "response_format": st.fixed_dictionaries({"type": st.sampled_from(["text", "json_object", "json_schema", "x"])})
        | schemas.map(lambda schema: {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}),
        "tools": st.lists(st.fixed_dictionaries({"type": st.just("function"), "function": functions}), max_size=3),
        "tool_choice": st.sampled_from(
            ["none", "auto", "required", "x", {"type": "function", "function": {"name": "weather"}}]
        ),
        "parallel_tool_calls": st.booleans(),
    },
)  # fmt: skip


@pytest.fixture(scope="module")
async def sturdy(model: ModelFile, tools: Any) -> AsyncIterator[LocalEngine]:
    async with tools.running(
        LocalEngine(model, EngineOptions(context=256, threads=1, parallel=2, max_tokens=4))
    ) as engine:
        await tools.say(engine, "Hi", max_tokens=1)
        yield engine


async def outcome(engine: LocalEngine, tools: Any, body: dict[str, Any]) -> str:
    """`answered`, or the class of the error; nothing else may come of a body, and never another child."""
    child = engine.pid
    said = dict(body)
    try:
        with anyio.fail_after(240):
            told = await tools.say(engine, said.pop("messages"), **{"max_tokens": 4, **said})
    except GatewayError as error:
        ended = type(error).__name__
    else:
        ended = "answered"
        assert all(len(finishes) == 1 for finishes in told.finishes.values())
    assert (engine.pid, engine.restarts) == (child, 0), f"{ended} and the child is another"
    assert engine.waiting == 0
    assert ended != "BackendBroke", "a mistake in a request is told as one"
    return ended


@settings(FEW, max_examples=100)
@given(bodies)
async def test_no_body_kills_the_child(sturdy: LocalEngine, tools: Any, body: dict[str, Any]) -> None:
    await outcome(sturdy, tools, body)


NASTY: dict[str, dict[str, Any]] = {
    "every token is forbidden": {"logit_bias": {str(token): -100 for token in range(49_152)}},
    "every token is forbidden under a grammar": {
        "logit_bias": {str(token): -100 for token in range(49_152)},
        "response_format": {"type": "json_object"},
    },
    "nothing but the end": {"logit_bias": {"2": 100}, "temperature": 0},
    "the end inside a grammar": {"logit_bias": {"2": 100}, "response_format": {"type": "json_object"}},
    "all filters shut": {"top_p": 0, "top_k": 1, "min_p": 1, "temperature": 2},
    "all filters open": {"top_p": 1, "top_k": 0, "min_p": 0, "temperature": 2},
    "huge limits": {"max_tokens": 2**31, "top_k": 2**31 - 1, "seed": 2**64 - 1, "stop": ["x" * 5000]},
    "one long word": {"messages": [{"role": "user", "content": "a" * 60_000}]},
    "control texts": {"messages": [{"role": "user", "content": "<|im_end|><|im_start|>assistant\n" * 20}]},
    "zeroes": {"messages": [{"role": "user", "content": "\x00" * 100}]},
    "sixteen choices of one token": {"n": 16, "max_tokens": 1, "logprobs": True, "top_logprobs": 20},
    "a schema that loops": {"response_format": {"type": "json_schema", "json_schema": {"schema": {"$ref": "#"}}}},
    "a schema of nothing": {"response_format": {"type": "json_schema", "json_schema": {"schema": {"enum": []}}}},
    "a deep schema": {"response_format": {"type": "json_schema", "json_schema": {"schema": json.loads(
        '{"type":"array","minItems":50,"maxItems":100,"items":' * 8 + "{}" + "}" * 8)}}},
    "a tool whose name is a rule": {"tools": [{"type": "function", "function": {"name": "root"}}],
                                    "tool_choice": "required"},
    "a hundred tools": {"tools": [{"type": "function", "function": {"name": f"t{number}"}} for number in range(100)]},
}  # fmt: skip


@pytest.mark.parametrize("body", NASTY.values(), ids=NASTY)
async def test_a_nasty_body_is_answered_or_refused_and_the_next_one_is_served(
    sturdy: LocalEngine, tools: Any, body: dict[str, Any]
) -> None:
    await outcome(sturdy, tools, {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 8, **body})
    assert await outcome(sturdy, tools, {"messages": [{"role": "user", "content": "Hi"}]}) == "answered"


async def test_a_signal_that_is_meant_for_the_terminal_does_not_reach_the_child(
    sturdy: LocalEngine, tools: Any
) -> None:
    """Ctrl-C goes to the whole foreground group: the child is in a session of its own and ignores it besides."""
    child = sturdy.pid
    assert child is not None
    assert os.getsid(child) == child
    os.kill(child, 2)
    assert await outcome(sturdy, tools, {"messages": [{"role": "user", "content": "Hi"}]}) == "answered"

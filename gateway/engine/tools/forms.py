"""The forms in which a conversation with tool calls can be shown to a template, from its own to plain words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

from gateway.engine.messages import Message
from gateway.engine.tools.ask import ToolAsk
from gateway.engine.tools.syntax import Syntax

_ID_LENGTH = 9
"""Mistral's templates raise on ids of any other length."""


def have_calls(messages: Sequence[Message]) -> bool:
    return any(message["role"] == "tool" or "tool_calls" in message for message in messages)


def structured(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Calls and results as such, in the ways in which templates differ."""
    yield list(messages)
    if have_calls(messages):
        yield (short := [_short(message) for message in messages])
        yield one_at_a_time(short)


def one_at_a_time(messages: Sequence[Message]) -> list[Message]:
    """Each call in a message of its own, with its result behind it: Llama's templates raise on two calls in one."""
    taken: list[Message] = []
    waiting: list[Message] = []
    for message in messages:
        if message["role"] == "tool":
            match = next((one for one in waiting if one["tool_calls"][0]["id"] == message["tool_call_id"]), None)
            if match is not None:
                waiting.remove(match)
                taken.append(match)
            taken.append(message)
            continue
        taken += waiting
        waiting = []
        if len(message.get("tool_calls", ())) > 1:
            for at, call in enumerate(message["tool_calls"]):
                content = message["content"] if at == 0 else ""
                waiting.append({"role": "assistant", "content": content, "tool_calls": [call]})
        else:
            taken.append(message)
    return [*taken, *waiting]


def worded(messages: Sequence[Message], syntax: Syntax) -> list[Message]:
    """Calls and results as text, in the model's own syntax."""
    return [_worded(message, syntax) for message in messages]


def introduced(messages: Sequence[Message], syntax: Syntax, ask: ToolAsk) -> list[Message]:
    """The tools described in the system message."""
    described = syntax.described(ask)
    if messages and messages[0]["role"] == "system":
        content = f"{messages[0]['content']}\n\n{described}"
        return [{**messages[0], "content": content}, *messages[1:]]
    return [{"role": "system", "content": described}, *messages]


def _worded(message: Message, syntax: Syntax) -> Message:
    if message["role"] == "tool":
        return {"role": "user", "content": syntax.result(message["content"])}
    if "tool_calls" not in message:
        return message
    text = "\n".join(part for part in (message["content"], syntax.written(message["tool_calls"])) if part)
    return {"role": "assistant", "content": text}


def _short(message: Message) -> Message:
    if message["role"] == "tool":
        return {**message, "tool_call_id": _short_id(message["tool_call_id"])}
    if "tool_calls" not in message:
        return message
    calls: list[dict[str, Any]] = [{**call, "id": _short_id(call["id"])} for call in message["tool_calls"]]
    return {**message, "tool_calls": calls}


def _short_id(call_id: str) -> str:
    if len(call_id) == _ID_LENGTH and call_id.isalnum():
        return call_id
    return hashlib.sha256(call_id.encode("utf-8", "replace")).hexdigest()[:_ID_LENGTH]

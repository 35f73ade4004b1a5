"""A whole answer out of its chunks, for clients that did not ask for a stream."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.api.sse import expect
from gateway.api.usage import usage_body
from gateway.core.types import Json, Pieces, Usage


class Collector:
    """Adds chunks up into OpenAI's `chat.completion` object."""

    def __init__(self, *, choices: int) -> None:
        self._limit = choices
        self._choices: list[_Choice] = []
        self.usage: Usage | None = None

    def add(self, pieces: Pieces) -> None:
        for chunk in pieces:
            if chunk.usage is not None:
                self.usage = chunk.usage
                continue
            if chunk.choice >= len(self._choices):
                expect(chunk.choice, self._limit)
                self._choices += [_Choice(index) for index in range(len(self._choices), chunk.choice + 1)]
            choice = self._choices[chunk.choice]
            if chunk.delta:
                choice.add(chunk.delta)
            if chunk.logprobs is not None:
                choice.add_logprobs(chunk.logprobs)
            if chunk.finish is not None and choice.finish is None:
                choice.finish = chunk.finish

    def body(self, *, id: str, created: int, model: str) -> dict[str, Json]:  # noqa: A002
        return {
            "id": id,
            "object": "chat.completion",
            "created": created,
            "model": model,
            "choices": [choice.body() for choice in self._choices],
            "usage": usage_body(self.usage or Usage(0, 0)),
        }


_CALL_TEXT = {"function": "arguments", "custom": "input"}
"""Where each kind of tool call keeps what the model wrote."""


class _Choice:
    def __init__(self, index: int) -> None:
        self._index = index
        self._texts: dict[str, list[str]] = {}
        self._other: dict[str, Json] = {}
        self._calls: dict[int, dict[str, Any]] = {}
        self._logprobs: dict[str, list[Json]] | None = None
        self.finish: str | None = None

    def add(self, delta: Mapping[str, Json]) -> None:
        for name, value in delta.items():
            if name == "tool_calls":
                for call in value:
                    self._add_call(call)
            elif isinstance(value, str):
                self._texts.setdefault(name, []).append(value)
            elif isinstance(value, list):
                self._other.setdefault(name, []).extend(value)
            elif value is not None:
                self._other[name] = value

    def _add_call(self, delta: Mapping[str, Any]) -> None:
        kind = "custom" if "custom" in delta else "function"
        text = _CALL_TEXT[kind]
        call = self._calls.setdefault(delta.get("index", 0), {"id": "", "type": kind, kind: {"name": "", text: ""}})
        for name in ("id", "type"):
            if delta.get(name):
                call[name] = delta[name]
        said = delta.get(kind) or {}
        call[kind]["name"] += said.get("name") or ""
        call[kind][text] += said.get(text) or ""

    def add_logprobs(self, logprobs: Mapping[str, Json]) -> None:
        if self._logprobs is None:
            self._logprobs = {}
        for name, tokens in logprobs.items():
            if tokens is not None:
                self._logprobs.setdefault(name, []).extend(tokens)

    def body(self) -> dict[str, Json]:
        message: dict[str, Json] = {"role": "assistant", "content": None, "refusal": None}
        message.update({name: "".join(parts) for name, parts in self._texts.items()})
        message.update(self._other)
        if self._calls:
            message["tool_calls"] = [self._calls[index] for index in sorted(self._calls)]
        elif message["content"] is None and message["refusal"] is None:
            message["content"] = ""
        logprobs = None if self._logprobs is None else {"content": None, "refusal": None, **self._logprobs}
        return {
            "index": self._index,
            "message": message,
            "logprobs": logprobs,
            "finish_reason": self.finish or "stop",
        }

"""An upstream's answer, event by event, as chunks with every promise that `Chunk` makes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeGuard

from gateway.backends.calls import ToolCalls
from gateway.backends.failures import from_stream
from gateway.core.errors import BackendBroke
from gateway.core.types import Chunk, Json, Usage

FINISH = {
    "stop": "stop", "eos": "stop", "eos_token": "stop", "end_turn": "stop", "stop_sequence": "stop",
    "length": "length", "max_tokens": "length", "max_length": "length", "model_length": "length",
    "tool_calls": "tool_calls", "tool_call": "tool_calls", "function_call": "tool_calls", "tool_use": "tool_calls",
    "content_filter": "content_filter", "safety": "content_filter", "refusal": "content_filter",
    "error": None, "abort": None,
}  # fmt: skip
"""Upstream words for OpenAI's four; None where the upstream gave up. A word not listed counts as stop."""

MOST_TOKENS = 1_000_000_000
"""Of a prompt, and of an answer."""
_PASSED = ("refusal", "annotations", "audio")


class Answer:
    """Feed it the upstream's JSON objects in order; it gives chunks, one finish per choice, usage last."""

    def __init__(self, backend: str) -> None:
        self._backend = backend
        self._seen: set[int] = set()
        self._finished: set[int] = set()
        self._calls: dict[int, ToolCalls] = {}
        self._usage: Usage | None = None
        self._model: str | None = None

    def add(self, event: Json, chunks: list[Chunk]) -> None:
        """Append the chunks of one event: a `chat.completion.chunk`, a whole `chat.completion`, or an error."""
        if type(event) is not dict:
            raise BackendBroke(f"backend {self._backend!r} sent something that is not a JSON object")
        if event.get("error") or event.get("object") == "error":
            raise from_stream(self._backend, event)
        if model := event.get("model"):
            self._model = model if type(model) is str else None
        if usage := event.get("usage"):
            self._usage = _usage(usage) or self._usage
        choices = event.get("choices")
        if type(choices) is list:  # null and missing happen
            for position, choice in enumerate(choices):
                self._add_choice(choice, position, chunks)

    @property
    def whole(self) -> bool:
        """Every choice seen has its finish."""
        return bool(self._seen) and self._seen == self._finished

    def end(self, *, complete: bool) -> list[Chunk]:
        """The chunks that close the answer. `complete`: the upstream said that it was done."""
        if not self._seen:
            raise BackendBroke(f"backend {self._backend!r} answered with nothing")
        open_ = sorted(self._seen - self._finished)
        if open_ and not complete:
            raise BackendBroke(f"backend {self._backend!r} broke off in the middle of its answer")
        chunks = [self._finish(index, {}, "stop", None) for index in open_]
        if self._usage is not None:
            chunks.append(Chunk(usage=self._usage, model=self._model))
        return chunks

    def _add_choice(self, choice: Json, position: int, chunks: list[Chunk]) -> None:
        if type(choice) is not dict:
            return
        index = choice.get("index", position)
        if type(index) is not int or index < 0:
            index = position
        if index in self._finished:
            return
        self._seen.add(index)
        delta = choice.get("delta") or choice.get("message") or {}
        logprobs = choice.get("logprobs") or None
        finish = choice.get("finish_reason")
        # The usual event by far: one piece of text and nothing else. It is passed on as it was parsed.
        if not finish and len(delta) == 1 and type(text := delta.get("content")) is str:
            if text or logprobs:
                chunks.append(Chunk(index, delta, None, logprobs, None, self._model))
            return
        kept = self._delta(index, delta)
        if finish:
            chunks.append(self._finish(index, kept, finish, logprobs))
        elif kept or logprobs:
            chunks.append(Chunk(index, kept, None, logprobs, None, self._model))

    def _delta(self, index: int, delta: Json) -> dict[str, Any]:
        """The fields of a delta (or a whole message) that clients know, without the role, which the edge adds."""
        if type(delta) is not dict:
            return {}
        kept: dict[str, Any] = {}
        content, reasoning = _text(delta.get("content"))
        if content:
            kept["content"] = content
        reasoning = delta.get("reasoning_content") or delta.get("reasoning") or reasoning
        if reasoning and isinstance(reasoning, str):
            kept["reasoning_content"] = reasoning
        for name in _PASSED:
            if value := delta.get(name):
                kept[name] = value
        fragments = delta.get("tool_calls")
        if not fragments and type(delta.get("function_call")) is dict:
            fragments = [{"index": 0, "function": delta["function_call"]}]
        if fragments and (calls := self._calls.setdefault(index, ToolCalls()).take(fragments)):
            kept["tool_calls"] = calls
        return kept

    def _finish(self, index: int, delta: dict[str, Any], word: Json, logprobs: Json) -> Chunk:
        finish = FINISH.get(word.lower(), "stop") if isinstance(word, str) else "stop"
        if finish is None:
            raise BackendBroke(f"backend {self._backend!r} gave up in the middle of its answer")
        calls = self._calls.get(index)
        if calls:
            if calls.nameless:
                raise BackendBroke(f"backend {self._backend!r} sent a tool call without a name")
            if rest := calls.close():
                delta = {**delta, "tool_calls": [*delta.get("tool_calls", ()), *rest]}
            finish = "tool_calls" if finish == "stop" else finish
        elif finish == "tool_calls":
            finish = "stop"  # a client told of calls looks for them
        self._finished.add(index)
        return Chunk(index, delta, finish, logprobs, None, self._model)


def _text(content: Json) -> tuple[str, str]:
    """Content and reasoning; some servers send content as parts."""
    if isinstance(content, str):
        return content, ""
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    text = "".join(str(part.get("text") or "") for part in parts if part.get("type") == "text")
    thoughts = [part.get("thinking") for part in parts if part.get("type") == "thinking"]
    return text, "".join(thought for thought in thoughts if isinstance(thought, str))


def _usage(usage: Json) -> Usage | None:
    if not isinstance(usage, Mapping):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not _is_count(prompt) or not _is_count(completion):
        return None
    details = {
        name: value
        for name in ("prompt_tokens_details", "completion_tokens_details")
        if isinstance(value := usage.get(name), dict)
    }
    return Usage(prompt, completion, details or None)


def _is_count(tokens: Json) -> TypeGuard[int]:
    """What is less than none, or more than any answer has, would be billed: the gateway's own estimate stands then."""
    return type(tokens) is int and 0 <= tokens <= MOST_TOKENS

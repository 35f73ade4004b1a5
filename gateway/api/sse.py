"""Chunks as OpenAI's server-sent events. One call per batch of chunks, bytes out."""

from __future__ import annotations

import orjson

from gateway.api.usage import context_header, usage_body
from gateway.core.errors import BackendBroke
from gateway.core.types import Pieces, Usage

DONE = b"data: [DONE]\n\n"
_ROLE = b'{"role":"assistant","content":""}'


class StreamWriter:
    """Writes one stream: the same id, created and model on every event, `role` in each choice's first delta.

    Clients append choices in order of appearance, so a choice's role is sent after those of all choices before it;
    exactly one finish_reason goes out per choice; usage is sent only when asked for, last, with empty choices.

    A shifted context is told where `tell_context`: in a member of our own beside the usage, or, as nothing else may
    come after the last choice of who did not ask for usage, in a comment.
    """

    def __init__(
        self,
        *,
        id: str,  # noqa: A002
        created: int,
        model: str,
        choices: int,
        include_usage: bool,
        tell_context: bool = True,
    ) -> None:
        head = {"id": id, "object": "chat.completion.chunk", "created": created, "model": model}
        self._head = b"data: " + orjson.dumps(head)[:-1] + b',"choices":['
        self._tail = b'],"usage":null}\n\n' if include_usage else b"]}\n\n"
        self._choices = choices
        self._include_usage = include_usage
        self._tell_context = tell_context
        self._begun = 0
        self._open: set[int] = set()
        self._usage: Usage | None = None

    def write(self, pieces: Pieces) -> bytes:
        head, tail = self._head, self._tail
        out: list[bytes] = []
        for chunk in pieces:
            if chunk.usage is not None:
                self._usage = chunk.usage
                continue
            if chunk.choice >= self._begun:
                self._begin(chunk.choice, out)
            if chunk.finish is None and chunk.logprobs is None:
                if chunk.delta:  # the hot path: a few bytes of text
                    out += (
                        head,
                        b'{"index":%d,"delta":' % chunk.choice,
                        orjson.dumps(chunk.delta),
                        b',"logprobs":null,"finish_reason":null}',
                        tail,
                    )
            elif chunk.choice in self._open:
                if chunk.finish is not None:
                    self._open.discard(chunk.choice)
                out.append(self._event(chunk.choice, orjson.dumps(chunk.delta), chunk.logprobs, chunk.finish))
        return b"".join(out)

    def end(self) -> bytes:
        finishes = [self._event(index, b"{}", None, "stop") for index in sorted(self._open)]
        context = context_header(self._usage) if self._tell_context else None
        if self._include_usage:
            last = self._usage_event(context is not None)
        else:
            last = b"" if context is None else b": x-gateway-context: %b\n\n" % context
        return b"".join((*finishes, last, DONE))

    def _begin(self, choice: int, out: list[bytes]) -> None:
        expect(choice, self._choices)
        for index in range(self._begun, choice + 1):
            self._open.add(index)
            out.append(self._event(index, _ROLE, None, None))
        self._begun = choice + 1

    def _event(self, index: int, delta: bytes, logprobs: object, finish: str | None) -> bytes:
        return b"".join(
            (
                self._head,
                b'{"index":%d,"delta":' % index,
                delta,
                b',"logprobs":',
                orjson.dumps(logprobs),
                b',"finish_reason":',
                orjson.dumps(finish),
                b"}",
                self._tail,
            )
        )

    def _usage_event(self, shifted: bool) -> bytes:
        usage = self._usage or Usage(0, 0)
        ours = b""
        if shifted:
            ours = b',"gateway":{"context":{"shifted":true,"dropped":%d}}' % usage.context_dropped
        return b"".join((self._head, b'],"usage":', orjson.dumps(usage_body(usage)), ours, b"}\n\n"))


def expect(choice: int, choices: int) -> None:
    """An index beyond what was asked for is a fault of the backend, and a large one would fill the memory here."""
    if choice >= choices:
        raise BackendBroke(f"the backend answered with choice {choice}; {choices} were asked for")

"""Labelled stand-ins: a remote that says what would have gone where, and a local model that says it is none.

They are for a first look without a vendor's key (`CannedRemote`) or without a compiler (`CannedLocal`), and for tests.
Every answer says that it is canned, the same request always gets the same answer, and no text of a request is in it.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

import anyio
import orjson

from gateway.backends.fields import limit, sendable
from gateway.backends.permit import only_for
from gateway.core.errors import Unsupported
from gateway.core.release import Released
from gateway.core.types import BackendSpec, Chunk, Decision, Json, Outgoing, Pieces, Request, Usage

_CANNOT = ("logprobs", "functions", "function_call")


class CannedRemote:
    """Takes the place of a remote backend. It sends nothing: its answer tells what would have been sent."""

    def __init__(self, spec: BackendSpec, *, also: frozenset[str] = frozenset(), pause_s: float = 0.0) -> None:
        self.spec = spec
        self._also = also
        self._pause_s = pause_s

    def prepare(self, request: Request) -> Outgoing:
        _refuse(request.body)
        payload, dropped = sendable(request.body, self._also)
        limit(payload, "max_tokens")
        payload |= {"model": self.spec.model, "store": False, "stream": request.stream}
        return Outgoing(self.spec.name, payload, dropped)

    async def stream(self, released: Released) -> AsyncGenerator[Pieces, None]:
        only_for(self.spec, released)
        async for pieces in _say(self._tale(released.outgoing), released.outgoing.payload, self.spec, self._pause_s):
            yield pieces

    def _tale(self, outgoing: Outgoing) -> str:
        spec, payload = self.spec, outgoing.payload
        size = len(orjson.dumps(payload))
        return (
            f"[canned] No key is set for backend {spec.name!r}, so nothing left this host. "
            f"To {spec.host or 'its vendor'} (zone {spec.zone}, model {spec.model!r}) would have gone "
            f"{size} bytes with {len(payload['messages'])} message(s) in the fields {', '.join(sorted(payload))}. "
            f"Dropped: {', '.join(outgoing.dropped) or 'nothing'}."
        )

    async def aclose(self) -> None:
        """Nothing is open."""


class CannedLocal:
    """Takes the place of the local model where none can be built."""

    honours = frozenset(
        {"max_completion_tokens", "max_tokens", "messages", "model", "n", "seed", "stop", "stream", "stream_options"}
    )

    def __init__(self, spec: BackendSpec, *, pause_s: float = 0.0) -> None:
        self.spec = spec
        self._pause_s = pause_s

    async def stream(self, request: Request, decision: Decision) -> AsyncGenerator[Pieces, None]:
        _refuse(request.body)
        text = (
            "[canned] This stands in for the local model and understands nothing. It was made on this host: "
            f"level {decision.level}, rule {decision.rule!r}, {len(request.messages)} message(s)"
            f"{f', adapter {decision.adapter!r}' if decision.adapter else ''}. "
            "Set up a local model to get real answers."
        )
        async for pieces in _say(text, request.body, self.spec, self._pause_s):
            yield pieces


def _refuse(body: Mapping[str, Json]) -> None:
    """What a canned text cannot honour is refused by name, as everywhere."""
    wanted = [name for name in _CANNOT if body.get(name)]
    if (body.get("response_format") or {}).get("type", "text") != "text":
        wanted.append("response_format")
    if body.get("tool_choice") not in (None, "none", "auto"):
        wanted.append("tool_choice")
    if wanted:
        raise Unsupported(f"a canned answer cannot honour {wanted[0]!r}", param=wanted[0])


async def _say(text: str, body: Mapping[str, Json], spec: BackendSpec, pause_s: float) -> AsyncGenerator[Pieces, None]:
    """The text in word-sized tokens, several to a piece, for each of `n` choices, cut by `stop` and the limit."""
    tokens, finish = _cut(text, body)
    choices = range(int(body.get("n") or 1))
    for start in range(0, len(tokens), 4):
        await anyio.sleep(pause_s)
        piece = "".join(tokens[start : start + 4])
        yield [Chunk(choice, {"content": piece}, model=spec.model) for choice in choices]
    prompt = len(re.findall(r"\w+|[^\w\s]", orjson.dumps(body["messages"]).decode()))
    usage = Usage(prompt, len(tokens) * len(choices))
    yield [
        *(Chunk(choice, {}, finish, model=spec.model) for choice in choices),
        Chunk(usage=usage, model=spec.model),
    ]


def _cut(text: str, body: Mapping[str, Json]) -> tuple[list[str], str]:
    stop: Any = body.get("stop") or ()
    stops: Sequence[str] = [stop] if isinstance(stop, str) else stop
    for each in stops:
        if each:
            text = text.partition(each)[0]
    tokens = re.findall(r"\s*\S+", text)
    most = body.get("max_completion_tokens") or body.get("max_tokens")
    if isinstance(most, int) and len(tokens) > most:
        return tokens[:most], "length"
    return tokens, "stop"

"""Requests with their permits, for tests of whatever stands outside."""

from __future__ import annotations

from typing import Any

from gateway.core.ports import LocalBackend, RemoteBackend
from gateway.core.records import Receipt
from gateway.core.release import Released, release
from gateway.core.types import Allowed, BackendSpec, Chunk, Decision, Principal, Request, Scan, Sensitivity, Usage, Zone


def make_spec(name: str = "large", zone: Zone = Zone.REMOTE, **more: Any) -> BackendSpec:
    return BackendSpec(name=name, zone=zone, **{"wire": "openai", "model": "gpt-x", "digest": "d1", **more})


def make_request(*, stream: bool = True, **body: Any) -> Request:
    body.setdefault("messages", [{"role": "user", "content": "Why is the sky blue?"}])
    return Request("r1", Principal(), "large", {"model": "large", "stream": stream, **body}, stream=stream)


def decide_for(spec: BackendSpec) -> Decision:
    way = Allowed(spec.name, spec.zone, "hard")
    return Decision(Sensitivity.INTERNAL, spec.zone, spec.name, "hard", (), "p", "d", (way,))


def permit(backend: RemoteBackend, request: Request) -> Released:
    """What the pipeline would hand to this backend for this request."""
    return release(
        request,
        decide_for(backend.spec),
        backend=backend.spec,
        outgoing=backend.prepare(request),
        scan=Scan(),
        receipt=Receipt(1, request.id, "attempt"),
    )


async def answer_of(backend: RemoteBackend, **request: Any) -> list[Chunk]:
    """Everything the backend says to `make_request(**request)`."""
    released = permit(backend, make_request(**request))
    return [chunk async for pieces in backend.stream(released) for chunk in pieces]


async def local_answer_of(backend: LocalBackend, **request: Any) -> list[Chunk]:
    pieces = backend.stream(make_request(**request), decide_for(backend.spec))
    return [chunk async for each in pieces for chunk in each]


def text_of(chunks: list[Chunk], choice: int = 0) -> str:
    return "".join(chunk.delta.get("content", "") for chunk in chunks if chunk.choice == choice)


def finishes(chunks: list[Chunk]) -> dict[int, list[str]]:
    """choice → every finish it got; a sound answer has exactly one each."""
    told: dict[int, list[str]] = {}
    for chunk in chunks:
        if chunk.usage is None:
            told.setdefault(chunk.choice, []).extend([chunk.finish] if chunk.finish else [])
    return told


def usage_told(chunks: list[Chunk]) -> Usage | None:
    """The usage, which must stand in the last chunk if anywhere."""
    told = [chunk.usage for chunk in chunks if chunk.usage is not None]
    assert len(told) <= 1
    assert not told or chunks[-1].usage is not None
    return told[0] if told else None

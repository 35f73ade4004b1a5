"""Chats and their answers, as the line hands them to a taint memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from gateway.core.ports import Taints
from gateway.core.types import (
    Assessment,
    Chunk,
    Decision,
    Finding,
    Place,
    Principal,
    Request,
    Scan,
    Sensitivity,
    Unreadable,
    Zone,
)

ANSWER = (
    "Dear Ms Rossi,\n\nthank you for your patience. The **second biopsy** of 14 March confirms what Dr Keller feared: "
    "the lesion in the left lung is malignant. We suggest surgery in the week of 2 April, followed by four cycles of "
    "chemotherapy at the day clinic in Zürich.\n\n- Please bring the X-ray images.\n- Don't eat after 10 p.m.\n\n"
    "The insurer has already agreed to bear the costs of the stay; your own share will be about 1'200 francs."
)
"""Made up; 442 characters."""


class Clock:
    """Time that a test moves."""

    def __init__(self, now: float = 1_000_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def chat(
    *messages: str | dict[str, Any],
    subject: str = "shared-key",
    tenant: str = "acme",
    conversation: str | None = None,
    **fields: Any,
) -> Request:
    """Strings are said in turn by user and assistant; anything else is a message as it is."""
    said = [
        message if isinstance(message, dict) else {"role": ("user", "assistant")[number % 2], "content": message}
        for number, message in enumerate(messages)
    ]
    body = {"model": "auto", "messages": said, **fields}
    return Request("r", Principal(tenant=tenant, subject=subject), "auto", body, conversation=conversation)


def found(kind: str = "health_fact", category: str = "health", **more: Any) -> Finding:
    values = {"confidence": 0.9, "place": Place("$.messages[0].content", 3, 9), "value_id": 4, **more}
    return Finding("rules", kind, category, **values)


def assessed(*findings: Finding, unreadable: Sequence[Unreadable] = ()) -> Assessment:
    return Assessment(findings=findings, unreadable=tuple(unreadable))


def decided(level: Sensitivity = Sensitivity.RESTRICTED, *, lifted: bool = False) -> Decision:
    return Decision(level, Zone.LOCAL, "local", "default", (), "test", "digest", (), lifted=lifted)


async def answer(
    taints: Taints,
    request: Request,
    text: str | Iterable[Chunk] = ANSWER,
    *,
    of: Assessment | None = None,
    decision: Decision | None = None,
) -> None:
    """The request is answered, a piece at a time; by default it is one about somebody's health."""
    watched = taints.watch(request, assessed(found()) if of is None else of, decision or decided())
    assert watched is not None
    chunks = in_pieces(text) if isinstance(text, str) else text
    for chunk in chunks:
        watched.note([chunk])
        if chunk.finish:
            await watched.keep()
    await watched.keep()


def in_pieces(text: str, choice: int = 0, size: int = 7) -> list[Chunk]:
    pieces = [Chunk(choice, {"content": text[start : start + size]}) for start in range(0, len(text), size)]
    return [*pieces, Chunk(choice, {}, "stop")]


def calling(call_id: str, arguments: str, name: str = "send_letter", choice: int = 0) -> list[Chunk]:
    """A tool call as it streams: its arguments in pieces."""
    first = {"index": 0, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}
    more = [
        {"index": 0, "function": {"arguments": arguments[start : start + 5]}} for start in range(0, len(arguments), 5)
    ]
    chunks = [Chunk(choice, {"tool_calls": [delta]}) for delta in (first, *more)]
    return [*chunks, Chunk(choice, {}, "tool_calls")]


def called(call_id: str, arguments: str, name: str = "send_letter") -> dict[str, Any]:
    """The same call as a client sends it back."""
    call = {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def result(call_id: str, content: str) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


def kinds(scan: Scan) -> set[str]:
    return {finding.kind for finding in scan.findings}

"""What still leaves after pseudonymising, and whether answers come back exactly however they are cut into pieces."""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import anyio

from bench.detect_found import Share, Shares, hard_spans
from bench.detect_ours import Ours
from bench.detect_rows import HARD_LABELS, Row, Span
from gateway.core.errors import EgressDenied
from gateway.core.ports import Transformed
from gateway.core.types import Assessment, Chunk, Pieces, Request, Sensitivity
from gateway.transform.pseudonymise import Pseudonymise

SECRET = b"a secret for measuring, of no use"
SPLITS = 5
"""Ways in which every answer is cut."""


def leakage(ours: Ours, rows: Sequence[Row]) -> dict[str, Any]:
    """Values that somebody marked as private and that are in the outgoing text all the same, and exact restores."""
    return anyio.run(_leakage, ours, rows, [ours.assessed(row) for row in rows])


async def _leakage(ours: Ours, rows: Sequence[Row], seen: Sequence[tuple[Request, Assessment]]) -> dict[str, Any]:
    transform = Pseudonymise(ours.detector, SECRET)
    left, masked_left, exact, refused = Shares(), Share(), Share(), Share()
    for number, (row, (request, assessment)) in enumerate(zip(rows, seen, strict=True)):
        try:
            gone = await transform.apply(request, assessment, {})
        except EgressDenied:
            refused.add(True)
            continue
        refused.add(False)
        outgoing = _text(gone).casefold()
        level = ours.policy.decide(request, assessment).level
        for span in hard_spans(row):
            here = _value(row, span).casefold() in outgoing
            left.add(HARD_LABELS[span.label], here)
            left.add("all", here)
            if level <= Sensitivity.CONFIDENTIAL:  # what a masking policy lets out: graver things stay whatever happens
                masked_left.add(here)
        if gone.replaced:
            for split in range(SPLITS):
                exact.add(await _comes_back(gone, row, seed=number * SPLITS + split))
    return {
        "left": left.as_json(),
        "left_where_masking_may_leave": masked_left.as_json(),
        "stays_because_it_cannot_be_replaced": refused.as_json(),
        "restored_exactly": exact.as_json(),
    }


def _value(row: Row, span: Span) -> str:
    return row.text[span.start : span.end]


def _text(gone: Transformed) -> str:
    return "\n\n".join(message["content"] for message in gone.request.body["messages"])


async def _comes_back(gone: Transformed, row: Row, seed: int) -> bool:
    """An answer that repeats the last message, cut at random, must come back as the client wrote it."""
    said = gone.request.body["messages"][-1]["content"]
    dice = random.Random(seed)
    cuts = sorted(dice.choices(range(len(said) + 1), k=dice.randint(0, max(1, len(said) // 3))))
    pieces = [said[a:b] for a, b in zip([0, *cuts], [*cuts, len(said)], strict=True)]

    async def answer() -> AsyncGenerator[Pieces, None]:
        for piece in pieces:
            yield (Chunk(delta={"content": piece}),)
        yield (Chunk(finish="stop"),)

    back = ""
    async for some in gone.restore(answer()):
        back += "".join(chunk.delta.get("content") or "" for chunk in some)
    return back == row.messages[-1]["content"]

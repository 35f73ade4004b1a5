"""Answers as bytes and back, piece by piece, so that a replayed stream has the pieces of the first one.

An answer is a JSON array: the format's number, the model that served, then the pieces. Nearly all pieces are text of
the first choice and nothing else; those are stored as bare strings. Any other piece is an array of Chunk's first six
fields, cut after the last one that is set. 128 pieces of text so cost little more than the text.

The seventh, confidence, is not kept: it belongs to the outcome of the request that the model worked for, and a replay
is nobody's work. Counted again with every hit it would weigh what is asked often, not what the model is sure of.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from gateway.core.types import Chunk, Json, Usage

FORMAT = 1


def encode(chunks: Sequence[Chunk]) -> bytes:
    """Raises TypeError for values that JSON cannot hold."""
    model = next((chunk.model for chunk in chunks if chunk.model is not None), None)
    return orjson.dumps([FORMAT, model, *[_piece(chunk, model) for chunk in chunks]])


def decode(data: bytes) -> tuple[Chunk, ...]:
    """Raises ValueError, without a word of the data, for anything that `encode` did not make."""
    try:
        version, model, *pieces = orjson.loads(data)
        if version == FORMAT:
            return tuple(
                [
                    Chunk(0, {"content": piece}, None, None, None, model) if isinstance(piece, str) else _chunk(*piece)
                    for piece in pieces
                ]
            )
    except (ValueError, TypeError):
        pass
    raise ValueError(f"not an answer in format {FORMAT}")


def _piece(chunk: Chunk, model: str | None) -> Json:
    choice, delta, finish, logprobs, usage, served, _ = chunk
    if choice == 0 and finish is None and logprobs is None and usage is None and served == model and len(delta) == 1:
        text = delta.get("content")
        if isinstance(text, str):
            return text
    fields = [choice, delta, finish, logprobs, None if usage is None else list(usage), served]
    while fields[-1] is None:
        fields.pop()
    return fields


def _chunk(
    choice: int,
    delta: dict[str, Json],
    finish: str | None = None,
    logprobs: dict[str, Json] | None = None,
    usage: Sequence[Json] | None = None,
    model: str | None = None,
) -> Chunk:
    return Chunk(choice, delta, finish, logprobs, None if usage is None else Usage(*usage), model)

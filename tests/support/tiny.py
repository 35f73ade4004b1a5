"""A model file of a few kilobytes whose weights are in any format: llama.cpp can encode it, though it knows no word."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from gateway.engine.files.weights import FORMATS

WIDTH = 256
_UINT32, _FLOAT, _STRING, _ARRAY = 4, 6, 8, 9
VALUES: Mapping[str, Any] = {
    "general.architecture": "llama",
    "general.type": "model",
    "llama.block_count": 1,
    "llama.context_length": 64,
    "llama.embedding_length": WIDTH,
    "llama.feed_forward_length": WIDTH,
    "llama.attention.head_count": 4,
    "llama.attention.head_count_kv": 4,
    "llama.attention.layer_norm_rms_epsilon": 1e-5,
}


def write_tiny(path: Path, kind: int = 3, *, rows: int = WIDTH, **changed: Any) -> Path:
    """`kind` is ggml's number of a format. `changed` are values of the head, with `__` for each dot."""
    values = {**VALUES, **{name.replace("__", "."): value for name, value in changed.items()}}
    tensors = {"token_embd.weight": (kind, rows), "blk.0.ffn_up.weight": (kind, 2 * rows), "output_norm.weight": (0, 1)}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(values))
    head += b"".join(_text(name) + _value(value) for name, value in values.items())
    at = 0
    data = b""
    for name, (of, count) in tensors.items():
        raw = _weights(of, count)
        shape = (WIDTH, count) if count > 1 else (WIDTH,)
        head += _text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *shape, of, at)
        data += raw.ljust(-(-len(raw) // 32) * 32, b"\0")
        at = len(data)
    path.write_bytes(head.ljust(-(-len(head) // 32) * 32, b"\0") + data)
    return path


def _weights(kind: int, rows: int) -> bytes:
    form = FORMATS[kind]
    rng = np.random.default_rng(kind)
    if form.block == 1:
        floats = rng.normal(0, 0.1, (rows, WIDTH)).astype("<f4")
        return floats.tobytes() if kind == 0 else floats.astype("<f2").tobytes()
    blocks = rng.integers(0, 256, (rows * WIDTH // form.block, form.bytes), np.uint8)
    blocks[:, :2] = np.frombuffer(struct.pack("<e", 0.01), np.uint8)  # the scale comes first, a minimum next
    blocks[:, 2:4] = np.frombuffer(struct.pack("<e", -0.08), np.uint8)
    return blocks.tobytes()


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _text(value)
    if isinstance(value, float):
        return struct.pack("<If", _FLOAT, value)
    if isinstance(value, list):
        return struct.pack("<IIQ", _ARRAY, _STRING, len(value)) + b"".join(map(_text, value))
    return struct.pack("<II", _UINT32, value)


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw

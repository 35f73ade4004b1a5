"""A LoRA adapter for SmolLM2-135M made by hand: random weights, strong enough that the answer visibly changes."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

RANK = 8
EMBEDDING, KEYS, LAYERS = 576, 192, 30
"""Of SmolLM2-135M: width, width of keys and values, layers."""

ALIGNMENT = 32
_STRING, _FLOAT, _INT = 8, 6, 5

VALUES: Mapping[str, Any] = {
    "general.type": "adapter",
    "general.architecture": "llama",
    "adapter.type": "lora",
    "adapter.lora.alpha": float(RANK),
}


def write_lora(path: Path, *, seed: int = 1, strength: float = 0.2, layers: int = LAYERS, **changed: Any) -> Path:
    """Attention queries and values of every layer. `changed` are values of the head, with `__` for each dot."""
    rng = np.random.default_rng(seed)
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    for layer in range(layers):
        for name, out in (("attn_q", EMBEDDING), ("attn_v", KEYS)):
            stem = f"blk.{layer}.{name}.weight"
            tensors[f"{stem}.lora_a"] = rng.normal(0, strength, (RANK, EMBEDDING))
            tensors[f"{stem}.lora_b"] = rng.normal(0, strength, (out, RANK))
    given = {name.replace("__", "."): value for name, value in changed.items()}
    return write_gguf(path, {**VALUES, **given}, tensors)


def write_gguf(
    path: Path,
    values: Mapping[str, Any],
    tensors: Mapping[str, Any] | None = None,
    *,
    kind: int = 0,
    shape: tuple[int, ...] | None = None,
) -> Path:
    """GGUF version 3 with 32-bit tensors. `kind` and `shape` are what it claims of them, true or not."""
    arrays = {name: np.ascontiguousarray(array, "<f4") for name, array in (tensors or {}).items()}
    head = b"GGUF" + struct.pack("<IQQ", 3, len(arrays), len(values))
    head += b"".join(_text(name) + _value(value) for name, value in values.items())
    at = 0
    for name, array in arrays.items():
        claimed = shape or array.shape[::-1]  # ggml counts dimensions from the innermost
        head += _text(name) + struct.pack(f"<I{len(claimed)}QIQ", len(claimed), *claimed, kind, at)
        at += _aligned(array.nbytes)
    path.write_bytes(_padded(head) + b"".join(_padded(array.tobytes()) for array in arrays.values()))
    return path


def _value(value: Any) -> bytes:
    if isinstance(value, str):
        return struct.pack("<I", _STRING) + _text(value)
    if isinstance(value, float):
        return struct.pack("<If", _FLOAT, value)
    return struct.pack("<Ii", _INT, value)


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _padded(raw: bytes) -> bytes:
    return raw.ljust(_aligned(len(raw)), b"\0")

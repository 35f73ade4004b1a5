"""The formats of a model file's weights: how big they are, and which ones a processor computes with slowly."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from gateway.engine.files.gguf import Head, NotGGUF, Tensor


@dataclass(frozen=True, slots=True)
class Format:
    name: str
    block: int
    """Elements that are stored together …"""
    bytes: int
    """… and the bytes they take."""


FORMATS: Mapping[int, Format] = MappingProxyType(
    {
        number: Format(*facts)
        for number, facts in {
            0: ("F32", 1, 4),
            1: ("F16", 1, 2),
            2: ("Q4_0", 32, 18),
            3: ("Q4_1", 32, 20),
            6: ("Q5_0", 32, 22),
            7: ("Q5_1", 32, 24),
            8: ("Q8_0", 32, 34),
            10: ("Q2_K", 256, 84),
            11: ("Q3_K", 256, 110),
            12: ("Q4_K", 256, 144),
            13: ("Q5_K", 256, 176),
            14: ("Q6_K", 256, 210),
            16: ("IQ2_XXS", 256, 66),
            17: ("IQ2_XS", 256, 74),
            18: ("IQ3_XXS", 256, 98),
            19: ("IQ1_S", 256, 50),
            20: ("IQ4_NL", 32, 18),
            21: ("IQ3_S", 256, 110),
            22: ("IQ2_S", 256, 82),
            23: ("IQ4_XS", 256, 136),
            29: ("IQ1_M", 256, 56),
            30: ("BF16", 1, 2),
            34: ("TQ1_0", 256, 54),
            35: ("TQ2_0", 256, 66),
            39: ("MXFP4", 32, 17),
        }.items()
    }
)

SLOW = frozenset({3, 6, 7})
"""Q4_1, Q5_0, Q5_1. llama.cpp computes with all others in batches (it repacks them, or has a matrix product made for
them); with these row by row, or as slowly: a prompt takes 1.5 to 2 times as long as in Q8_0, on x86 as measured, on ARM
by what its source does not have. Decided by tensor: a file called Q5_K_M holds Q5_1 where rows do not divide by 256."""


def multiplied(head: Head) -> list[Tensor]:
    """The weights that are multiplied with; a table of words that only looks words up is not among them."""
    matrices = [tensor for tensor in head.tensors if len(tensor.shape) > 1]
    if any(tensor.name == "output.weight" for tensor in matrices):
        return [tensor for tensor in matrices if tensor.name != "token_embd.weight"]
    return matrices


def slow_share(head: Head) -> float:
    """The part of a model's multiplications, 0 to 1, that is in a slow format."""
    weights = multiplied(head)
    total = sum(tensor.elements for tensor in weights)
    return sum(tensor.elements for tensor in weights if tensor.kind in SLOW) / total if total else 0.0


def bits(head: Head) -> float:
    """Mean bits for each weight that is multiplied with; unknown formats count as 8."""
    weights = multiplied(head)
    total = sum(tensor.elements for tensor in weights)
    return 8 * sum(_bytes(tensor) or tensor.elements for tensor in weights) / total if total else 0.0


def main_format(head: Head) -> str:
    """The name of the format that most of the weights are in."""
    sizes: dict[int, int] = {}
    for tensor in multiplied(head):
        sizes[tensor.kind] = sizes.get(tensor.kind, 0) + tensor.elements
    if not sizes:
        return "none"
    kind = max(sizes, key=lambda kind: sizes[kind])
    return FORMATS[kind].name if kind in FORMATS else f"format {kind}"


def check_whole(head: Head, path: Path) -> None:
    """Raise NotGGUF where the file is shorter than the data its head speaks of."""
    size = path.stat().st_size
    for tensor in head.tensors:
        if head.size + tensor.offset + (_bytes(tensor) or 0) > size:
            raise NotGGUF("it ends in the middle of its weights")


def _bytes(tensor: Tensor) -> int | None:
    known = FORMATS.get(tensor.kind)
    if known is None or not tensor.shape:
        return None
    return -(-tensor.shape[0] // known.block) * known.bytes * math.prod(tensor.shape[1:])

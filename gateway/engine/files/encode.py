"""Which copy of a model file to load: the file itself, or one in a format that this processor computes with faster.

Some formats have no batched matrix product in llama.cpp (see `weights.SLOW`). A file in one of them is written once
more as Q8_0, which loses next to nothing, and kept in the user's cache. `fast` is Q4_K_M, with Q4_0 for weights that
would be in a slow format again: smaller, and lossy. Whatever goes wrong, the file as it came is loaded, and the reason
is told.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from gateway.engine.files.copies import Copies, NotCopied
from gateway.engine.files.errand import Unwanted, never
from gateway.engine.files.gguf import Head, NotGGUF, read_head
from gateway.engine.files.weights import bits, main_format, multiplied, slow_share
from gateway.engine.machine import available_bytes

Mode = Literal["auto", "fast", "off"]
Report = Callable[[str], None]
"""Takes one sentence for the operator's log."""

SLOW_ENOUGH = 0.1
"""The part of a model in slow formats from which on a second copy on the disk is worth it."""
MEMORY_SHARE = 0.4
"""A file that takes more of the available memory is left alone: its copy may be almost twice as large."""
FAST_BITS = 5.5
"""`fast` leaves files alone that have no more bits for a weight, and no slow format: they are fast already."""


class LeftAlone(Exception):
    """The file stays as it is; the message is the reason."""


def offloads() -> bool:
    """Whether llama.cpp was built for a GPU, which has kernels of its own for every format."""
    from llama_cpp import llama_cpp as lib

    return bool(lib.llama_supports_gpu_offload())


def encoded(
    path: Path,
    sha256: str | None,
    mode: Mode,
    threads: int,
    report: Report,
    *,
    stopped: Callable[[], bool] = never,
    gpu: Callable[[], bool] = offloads,
    available: Callable[[], int | None] = available_bytes,
) -> Path:
    """The file to load for `path`, whose digest is `sha256` where that is known. Never raises.

    A copy is made when there is none, or a damaged one: a second or two for each 100 MB, unless `stopped`.
    """
    if mode == "off":
        return path
    try:
        recipe = wanted(read_head(path), mode)
        if recipe is None or gpu():
            return path
        _check_memory(path, available())
        return Copies().get(path, sha256, recipe, threads, report, stopped=stopped)
    except (NotGGUF, NotCopied, LeftAlone) as reason:
        report(f"{path.name!r} is used as it is: {reason}")
    except OSError as error:
        report(f"{path.name!r} is used as it is: {error.strerror}")
    except Unwanted:
        pass
    return path


def wanted(head: Head, mode: Mode) -> str | None:
    """The recipe that this file should be encoded by; None: it is good as it is. Raises LeftAlone."""
    if mode == "off" or not multiplied(head) or head.values.get("general.type", "model") != "model":
        return None
    slow = slow_share(head) > SLOW_ENOUGH
    if not slow and (mode == "auto" or bits(head) <= FAST_BITS):
        return None
    if head.values.get("split.count", 0) not in (0, 1):
        raise LeftAlone(f"it is one of several parts, in {main_format(head)}; join them with llama-gguf-split --merge")
    return "Q4_K_M" if mode == "fast" else "Q8_0"


def _check_memory(path: Path, available: int | None) -> None:
    size = path.stat().st_size
    if available is not None and size > MEMORY_SHARE * available:
        raise LeftAlone(
            f"it has {size >> 20} MiB and {available >> 20} MiB of memory are available, too little to be sure "
            "that a faster copy fits; local.encode: off makes this line go away"
        )
